// SPDX-License-Identifier: BSD-3-Clause
#include "os/async_resolver.hpp"

#include <atomic>
#include <memory>
#include <system_error>
#include <thread>

#include "os/resolver.hpp"

namespace wiretime::os {

struct AsyncResolver::Lookup {
  enum State : int { running, answered, abandoned };
  std::string name;
  Family family = Family::unspecified;
  Result<std::vector<IpAddress>> answer{std::vector<IpAddress>{}};
  std::atomic<int> state{running};  // thread: running -> answered; owner: running -> abandoned

  void work() {
    answer = resolve(name, family);
    if (state.exchange(answered, std::memory_order_acq_rel) == abandoned) delete this;
  }
};

AsyncResolver::~AsyncResolver() {
  if (lookup_ != nullptr &&
      lookup_->state.exchange(Lookup::abandoned, std::memory_order_acq_rel) == Lookup::answered)
    delete lookup_;
}

Result<void> AsyncResolver::start(const std::string& name, Family family) {
  auto lookup = std::make_unique<Lookup>();
  lookup->name = name;
  lookup->family = family;
  try {
    std::thread{[l = lookup.get()] { l->work(); }}.detach();
  } catch (const std::system_error& e) {
    return fail(std::string{"cannot start a thread to look up a name: "} + e.what());
  }
  lookup_ = lookup.release();
  return {};
}

std::optional<Result<std::vector<IpAddress>>> AsyncResolver::take() {
  if (lookup_ == nullptr || lookup_->state.load(std::memory_order_acquire) != Lookup::answered) return {};
  std::optional<Result<std::vector<IpAddress>>> answer{std::move(lookup_->answer)};
  delete lookup_;
  lookup_ = nullptr;
  return answer;
}

}  // namespace wiretime::os
