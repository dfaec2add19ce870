// SPDX-License-Identifier: BSD-3-Clause
// Which sources to believe and how to combine them. Every source claims that the true offset lies within its
// root distance of its best sample; the largest group of overlapping claims that is a majority is believed
// (RFC 5905 section 11.2.1, after Marzullo), the rest are falsetickers. Of those believed the nearest is
// selected, with hysteresis, and combined with others about as near. Control thread; pure: the caller says
// what is known of every source now.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "clock/discipline.hpp"
#include "clock/source_statistics.hpp"

namespace wiretime::clock {

struct SelectOptions {
  bool no_select = false;
  bool prefer = false;
  bool trust = false;
  bool require = false;

  friend bool operator==(const SelectOptions&, const SelectOptions&) = default;
};

enum class AuthenticationRule : std::uint8_t { require, prefer, mix, ignore };

struct SourceClass {
  SelectOptions configured;
  bool ntp = true;  // else a reference clock
  bool authenticated = false;
};

// authselectmode: the options that count, in the order of `sources`.
[[nodiscard]] std::vector<SelectOptions> effective_options(std::span<const SourceClass> sources,
                                                           AuthenticationRule rule);

// The letters of `chronyc selectdata`, as its manual explains them.
enum class SelectState : char {
  no_select = 'N',
  unsynchronised = 's',
  missing_samples = 'M',
  distant = 'd',
  jittery = '~',
  waits_for_samples = 'w',  // of other sources, at the start
  stale = 'S',
  orphan = 'O',
  untrusted = 'T',
  falseticker = 'x',
  waits_for_sources = 'W',
  not_preferred = 'P',
  waits_for_update = 'U',
  not_combined = 'D',
  combined = '+',
  selected = '*',
};

struct SelectionConfig {
  double max_distance = 3;          // s
  double max_jitter = 1;            // s
  double reselect_distance = 1e-4;  // s
  double stratum_weight = 1e-3;     // s per stratum
  double combine_limit = 3;
  double max_clock_error = 1e-6;  // s/s
  unsigned min_sources = 1;
  bool orphan = false;  // `local ... orphan`
  std::uint8_t orphan_stratum = 10;
};

// What selection needs to know of a source.
struct Candidate {
  std::uint32_t id = 0;  // of the source, lasting
  SelectOptions options;
  const SourceStatistics* statistics = nullptr;
  bool reachable = false;         // any bit of the reachability register
  bool starting = false;          // reachable, and has not had the polls yet to collect enough samples
  bool fresh = false;             // has a sample that the clock was not updated with
  std::uint32_t refid = 0;        // of the source's address: compared between orphans
  std::uint32_t local_refid = 0;  // of our address towards it
};

enum class SelectionOutcome : std::uint8_t {
  selected,       // the clock is to be updated with `estimate`
  waiting,        // nothing new from the selected source, or sources are still starting: keep as it is
  no_sources,     // none is selectable
  no_majority,    // they do not agree
  too_few,        // minsources
  none_required,  // no source with `require` among them
};

struct SourceVerdict {
  SelectState state = SelectState::missing_samples;
  double score = 1;
  double low = 0;  // s, interval of the true offset; RFC 5905 sign, like all offsets here
  double high = 0;
};

struct Selection {
  SelectionOutcome outcome = SelectionOutcome::no_sources;
  int selected = -1;                    // index of the candidate; kept while waiting
  bool switched = false;                // a different source than before
  std::vector<SourceVerdict> verdicts;  // one a candidate
  ClockEstimate estimate;               // if outcome is selected
  Leap leap = Leap::unsynchronised;     // majority of the believed, if selected
  std::uint8_t stratum = 0;             // of the selected source
  std::size_t combined = 0;             // sources in the estimate
  std::size_t voters = 0;               // sources whose claims were compared
  std::size_t agreeing = 0;             // the most of them that overlap
  bool only_trusted_vote = false;
};

class SourceSelector {
 public:
  explicit SourceSelector(const SelectionConfig& config) : config_{config} {}

  [[nodiscard]] Selection select(std::span<const Candidate> candidates, WallTime now);
  // Forget the selected source and the scores (chronyc reselect; after a step of the clock nothing is
  // needed).
  void reselect();
  void set_reselect_distance(double s) { config_.reselect_distance = s; }
  [[nodiscard]] SelectionConfig& config() { return config_; }

 private:
  struct Memory {
    std::uint32_t id;
    double score = 1;
    unsigned distant = 0;  // selections until the source may be combined again
  };
  struct Work;  // one call's view of the candidates

  [[nodiscard]] Memory& memory(std::uint32_t id);
  void forget_missing(std::span<const Candidate> candidates);
  void judge_alone(Work& work) const;
  void admit_orphan(Work& work) const;
  void mark_stale(Work& work) const;
  [[nodiscard]] bool believe_majority(Work& work) const;
  [[nodiscard]] SelectionOutcome check_quorum(Work& work) const;
  void choose(Work& work);
  // Root distance plus the price of the stratum.
  [[nodiscard]] double distance(const Work& work, std::size_t i) const;
  void score(Work& work, std::size_t current);
  void combine(Work& work);

  SelectionConfig config_;
  std::vector<Memory> memory_;
  bool has_selected_ = false;
  std::uint32_t selected_id_ = 0;
};

}  // namespace wiretime::clock
