// SPDX-License-Identifier: BSD-3-Clause
// SourceManager: the history of sources over a restart (dumpdir, -r). Files tell of the kernel's clock, as
// the corrections that are still to come, or all with -x, end with the process.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "control/source_manager.hpp"

namespace wiretime::control {

ClockMark SourceManager::clock_mark() const {
  return {options_.boot, host_.kernel_time().time_since_epoch() - host_.monotonic()};
}

DumpTexts SourceManager::dumps() const {
  const WallTime kernel = host_.kernel_time();
  const double frequency = steering_.device().is_real() ? 0 : steering_.discipline().model().frequency();
  const clock::ClockChange to_kernel{steering_.cooked(kernel), 1 / (1 + frequency) - 1,
                                     -steering_.correction(kernel)};
  DumpTexts texts;
  for (const auto& s : sources_) {
    if (s->statistics.samples() == 0 || (s->ntp && !s->ntp->resolved())) continue;
    if (s->status.stratum >= ntp::kMaxStratum || s->status.leap == clock::Leap::unsynchronised) continue;
    SourceDump dump;
    dump.name = s->ntp ? s->ntp->config.name : ".";
    dump.authenticated = s->authenticated();
    dump.reach = s->status.reach;
    dump.polls = static_cast<unsigned>(std::bit_width(unsigned{s->status.reach}));
    dump.stratum = s->status.stratum;
    dump.leap = s->status.leap;
    for (clock::Sample sample : s->statistics.window()) {
      to_kernel.apply(sample);
      dump.entries.push_back({sample, sample.offset});
    }
    dump.entries.back().measured_offset = s->measured_offset;
    if (!options_.boot.empty()) dump.mark = clock_mark();
    texts[s->ntp ? dump_file_name(s->ntp->address.address) : dump_file_name(s->refid)] = format_dump(dump);
  }
  return texts;
}

void SourceManager::take_dumps() {
  for (const auto& [file, text] : options_.dumps) {
    auto dump = parse_dump(text);
    Result<void> valid;
    if (dump)
      valid = still_valid(*dump, host_.kernel_time(), clock_mark());
    else
      valid = tl::make_unexpected(dump.error());
    if (valid)
      dumps_.emplace(file, std::move(*dump));
    else
      log(os::LogLevel::warning, fmt::format("Could not load dump file {}: {}", file, valid.error().message));
  }
  options_.dumps.clear();
}

// A source's address is known for the first time: what is remembered of it, in today's clock.
void SourceManager::restore(Source& source) {
  const auto found =
      dumps_.find(source.ntp ? dump_file_name(source.ntp->address.address) : dump_file_name(source.refid));
  if (found == dumps_.end() || initial_until_) return;  // initstepslew wants news
  const SourceDump dump = std::move(found->second);
  dumps_.erase(found);
  const bool same_name = dump.name == (source.ntp ? source.ntp->config.name : ".");
  if (!same_name || (source.authenticated() && !dump.authenticated))
    return log(os::LogLevel::warning,
               fmt::format("Could not load dump file for {}: it is of {}", source.label(),
                           same_name ? "an unauthenticated source" : "another source, " + dump.name));
  for (const SourceDump::Entry& entry : dump.entries) static_cast<void>(source.statistics.add(entry.sample));
  source.measured_offset = dump.entries.back().measured_offset;
  source.status.stratum = dump.stratum;
  source.status.leap = dump.leap;
  source.status.reach = dump.reach;
  if (source.ntp) source.ntp->association.restore(dump.reach, dump.stratum, dump.leap);
  source.fresh = true;
  log(os::LogLevel::info, fmt::format("Loaded dump file for {}", source.label()));
}

}  // namespace wiretime::control
