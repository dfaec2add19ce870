// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a metrics endpoint's response, and as its page: samples have names, ports are told once, and
// every finding of them can be printed.
#include <cstdint>
#include <set>
#include <string>

#include "deploy/doctor/daemon.hpp"
#include "deploy/doctor/print.hpp"
#include "require.hpp"

using namespace wiretime::doctor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  const auto body = body_of(text);
  if (!body) require(!body.error().message.empty());
  const auto page = read_metrics(body ? *body : text);
  for (const Sample& s : page) require(!s.name.empty());
  Findings all = judge_daemon(page, "fuzz", "nothing");
  std::set<std::string> names;
  for (const PortNow& port : ports_now(page)) {
    require(!port.name.empty() && names.insert(port.name).second);
    for (Finding& f : judge_port_now(port, Outlook{})) all.push_back(std::move(f));
  }
  require(!to_text(all, true).empty());
  require(to_json(all).front() == '{');
  return 0;
}
