// SPDX-License-Identifier: BSD-3-Clause
#include "os/tap.hpp"

#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "os/interfaces.hpp"
#include "os/route_socket.hpp"
#include "os/system_error.hpp"

namespace wiretime::os {

namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr const char* kNames = "wt%d";  // the kernel puts in the number

// Behind the default routes of other interfaces, whoever made them: none of the usual programs goes that far.
constexpr std::uint32_t kMetric = 4096;

// An address twice would have the kernel answer for it on the other interface as well.
Result<void> check_addresses(const TapOptions& options) {
  const auto interfaces = list_interfaces();
  if (!interfaces) return tl::make_unexpected(interfaces.error());
  for (const Interface& interface : *interfaces)
    for (const auto& known : interface.addresses)
      for (const auto& wanted : options.addresses)
        if (known.address == wanted.address)
          return fail(fmt::format("{} is an address of interface {} already", wanted.address.to_string(),
                                  interface.name));
  return {};
}

Result<void> set_up(const TapOptions& options, unsigned index) {
  const auto route = RouteSocket::open();
  if (!route) return tl::make_unexpected(route.error());
  const auto refused = [](const std::string& what, int error) {
    return fail(fmt::format("the kernel refuses {}: {}", what, errno_text(error)));
  };
  if (const int error = route->bring_up(index, options.mac); error != 0)
    return refused("to bring the interface up", error);
  for (const auto& a : options.addresses)
    if (const int error = route->add_address(index, a.address, a.prefix_length); error != 0)
      return refused(fmt::format("address {}/{}", a.address.to_string(), a.prefix_length), error);
  for (const IpAddress& gateway : options.gateways)
    if (const int error = route->add_default_route(index, gateway, kMetric); error != 0)
      return refused(fmt::format("gateway {}", gateway.to_string()), error);
  return {};
}

}  // namespace

Result<Tap> Tap::create(const TapOptions& options) {
  if (auto ok = check_addresses(options); !ok) return tl::make_unexpected(ok.error());
  // The kernel would attach us to a tap that is there, of whomever it is.
  if (!options.name.empty() && if_nametoindex(options.name.c_str()) != 0)
    return fail(fmt::format("interface {} exists already", options.name));
  FileDescriptor fd{open(kDevice, O_RDWR)};
  if (!fd.valid()) return fail(fmt::format("cannot open {}: {}", kDevice, errno_text()));
  set_close_on_exec(fd.get());
  set_non_blocking(fd.get());
  ifreq request{};
  const std::string wanted = options.name.empty() ? kNames : options.name;
  if (wanted.size() >= sizeof request.ifr_name) return fail(fmt::format("{} is too long a name", wanted));
  std::memcpy(request.ifr_name, wanted.c_str(), wanted.size() + 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0)
    return fail(fmt::format("cannot make a tap interface: {}{}", errno_text(),
                            errno == EPERM ? " (it takes CAP_NET_ADMIN)" : ""));
  Tap tap{std::move(fd), request.ifr_name};
  if (auto ok = set_up(options, if_nametoindex(tap.name_.c_str())); !ok)
    return tl::make_unexpected(ok.error());
  return tap;
}

std::optional<std::size_t> Tap::read(std::span<std::byte> buffer) const noexcept {
  const ssize_t size = ::read(fd_.get(), buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;
  return static_cast<std::size_t>(size);
}

bool Tap::write(std::span<const std::byte> frame) const noexcept {
  return ::write(fd_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

}  // namespace wiretime::os
