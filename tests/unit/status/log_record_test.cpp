// SPDX-License-Identifier: BSD-3-Clause
// Lines of a real chronyd 4.3 (tests/golden/chronyd-logs): read into records, they come out byte for byte.
#include "status/log_record.hpp"

#include <fstream>
#include <functional>
#include <sstream>

#include "catch.hpp"

using namespace wiretime;
using namespace wiretime::status;
using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in{line};
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

double number(const std::string& word) {
  return std::stod(word);
}
unsigned count(const std::string& word, int base = 10) {
  return static_cast<unsigned>(std::stoul(word, nullptr, base));
}
std::uint8_t leap_of(const std::string& letter) {
  return static_cast<std::uint8_t>(std::string{"N+-?"}.find(letter));
}

WallTime time_of(const std::string& date, const std::string& time) {
  const auto part = [](const std::string& text, std::size_t at, std::size_t n) {
    return std::stoi(text.substr(at, n));
  };
  const std::chrono::year_month_day day{std::chrono::year{part(date, 0, 4)},
                                        std::chrono::month{count(date.substr(5, 2))},
                                        std::chrono::day{count(date.substr(8, 2))}};
  const auto fraction = time.size() > 9 ? part(time, 9, 6) : 0;
  return WallTime{std::chrono::sys_days{day}} + std::chrono::hours{part(time, 0, 2)} +
         std::chrono::minutes{part(time, 3, 2)} + std::chrono::seconds{part(time, 6, 2)} +
         std::chrono::microseconds{fraction};
}

LogRecord measurement(const Words& w) {
  MeasurementRecord r;
  r.leap = leap_of(w[3]);
  r.stratum = static_cast<std::uint8_t>(count(w[4]));
  r.tests = static_cast<std::uint16_t>(count(w[5] + w[6] + w[7], 2));
  r.poll = std::stoi(w[8]);
  r.source_poll = std::stoi(w[9]);
  r.poll_score = number(w[10]);
  r.offset = number(w[11]);
  r.peer_delay = number(w[12]);
  r.peer_dispersion = number(w[13]);
  r.root_delay = number(w[14]);
  r.root_dispersion = number(w[15]);
  r.refid = count(w[16], 16);
  r.mode = static_cast<std::uint8_t>(w[17][0] - '0');
  r.interleaved = w[17][1] == 'I';
  r.transmit_stamp = w[18][0];
  r.receive_stamp = w[19][0];
  return r;
}

LogRecord statistics(const Words& w) {
  return StatisticsRecord{{},           {},           number(w[3]), number(w[4]),
                          number(w[5]), number(w[6]), number(w[7]), number(w[8]),
                          count(w[9]),  count(w[10]), count(w[11]), number(w[12])};
}

LogRecord tracking(const Words& w) {
  return TrackingRecord{
      {},          {},           count(w[3]),   number(w[4]),  number(w[5]),  number(w[6]), leap_of(w[7]),
      count(w[8]), number(w[9]), number(w[10]), number(w[11]), number(w[12]), number(w[13])};
}

LogRecord selection(const Words& w) {
  return SelectionRecord{{},
                         {},
                         w[3][0],
                         w[4][1] == 'N',
                         w[4][2] == 'P',
                         w[4][3] == 'T',
                         w[4][4] == 'R',
                         static_cast<std::uint8_t>(count(w[5], 8)),
                         number(w[6]),
                         number(w[7]),
                         number(w[8]),
                         number(w[9])};
}

LogRecord refclock(const Words& w) {
  RefclockRecord r;
  r.leap = leap_of(w[4]);
  if (w[3] != "-") r.raw = RefclockRecord::Raw{count(w[3]), w[5] == "1", number(w[6])};
  r.offset = number(w[7]);
  r.dispersion = number(w[8]);
  return r;
}

LogRecord temperature(const Words& w) {
  return TemperatureRecord{{}, number(w[2]), number(w[3])};
}

// Fields every record has; a temperature has no source.
LogRecord with_head(LogRecord record, const Words& w) {
  std::visit(
      [&](auto& r) {
        r.time = time_of(w[0], w[1]);
        if constexpr (requires { r.source; }) r.source = w[2];
        if constexpr (requires { r.refid.size(); }) r.refid = w[2];
      },
      record);
  return record;
}

const std::vector<std::function<LogRecord(const Words&)>> kReaders{measurement, statistics, tracking,
                                                                   selection,   refclock,   temperature};

}  // namespace

TEST_CASE("every line and banner of chronyd's log files comes out of the formatter as it is") {
  for (std::size_t i = 0; i < kReaders.size(); ++i) {
    const LogFormat format = log_format(i);
    const std::string path = std::string{GOLDEN_DIR} + "/chronyd-logs/" + std::string{format.file} + ".log";
    std::ifstream file{path};
    INFO(path);
    std::string text;
    unsigned lines = 0;
    while (std::getline(file, text)) {
      if (text.rfind("===", 0) == 0) {
        std::string columns, rule;
        REQUIRE(std::getline(file, columns));
        REQUIRE(std::getline(file, rule));
        CHECK(text + '\n' + columns + '\n' + rule == log_banner(format));
        continue;
      }
      const LogRecord record = with_head(kReaders[i](words_of(text)), words_of(text));
      CHECK(record.index() == i);
      CHECK(log_line(record) == text);
      ++lines;
    }
    CHECK(lines > 10);
  }
}

TEST_CASE("log lines carry UTC with two digits each, also before 1970") {
  TemperatureRecord r;
  r.time = WallTime{-1ns};
  CHECK(log_line(r).substr(0, 19) == "1969-12-31 23:59:59");
  r.time = WallTime{std::chrono::sys_days{std::chrono::year{2036} / 2 / 7}} + 6h + 28min + 16s;
  CHECK(log_line(r).substr(0, 19) == "2036-02-07 06:28:16");
}

TEST_CASE("microseconds of a refclock's sample do not round up to the next second") {
  RefclockRecord r;
  r.time = WallTime{1s - 1ns};
  r.refid = "PPS2";
  CHECK(log_line(r) == "1970-01-01 00:00:00.999999 PPS2    - N -       -        0.000000e+00  0.000e+00");
}
