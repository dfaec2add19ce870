// SPDX-License-Identifier: BSD-3-Clause
#include "os/resolver.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <netdb.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "os/socket.hpp"

namespace wiretime::os {

Result<std::vector<IpAddress>> resolve(const std::string& name, Family family) {
  addrinfo hints{};
  hints.ai_family = family == Family::ipv4 ? AF_INET : family == Family::ipv6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* head = nullptr;
  if (const int error = getaddrinfo(name.c_str(), nullptr, &hints, &head); error != 0)
    return fail(fmt::format("cannot resolve \"{}\": {}", name, gai_strerror(error)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{head, freeaddrinfo};
  std::vector<IpAddress> out;
  for (const addrinfo* entry = head; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    if (entry->ai_addr == nullptr || entry->ai_addrlen > sizeof address) continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    const auto ip = from_system(address).address;
    if (ip.family != Family::unspecified && std::find(out.begin(), out.end(), ip) == out.end())
      out.push_back(ip);
  }
  if (out.empty()) return fail(fmt::format("cannot resolve \"{}\": no address", name));
  return out;
}

std::optional<NumericAddress> numeric_address(const std::string& text) {
  const std::size_t percent = text.find('%');
  const auto address = IpAddress::parse(std::string_view{text}.substr(0, percent));
  if (!address) return std::nullopt;
  if (percent == std::string::npos) return NumericAddress{*address};
  return NumericAddress{*address, if_nametoindex(text.c_str() + percent + 1)};
}

}  // namespace wiretime::os
