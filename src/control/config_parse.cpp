// SPDX-License-Identifier: BSD-3-Clause
#include "control/config_parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "control/config_directives.hpp"
#include "control/config_include.hpp"
#include "control/config_tokens.hpp"

namespace wiretime::control {

namespace {

constexpr std::size_t kMaxLine = 2048;
constexpr unsigned kMaxIncludeDepth = 10;
constexpr unsigned kMaxFiles = 1000;  // bounds what files including each other can cost
constexpr std::size_t kMaxDirectories = 10;

// Bytes no directive contains; the first one found in `line`.
std::optional<unsigned char> find_control_byte(std::string_view line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    const bool space = byte >= '\t' && byte <= '\r';
    if ((byte < 0x20 && !space) || byte == 0x7F) return byte;
  }
  return std::nullopt;
}

// The words of a line, empty for blank lines and comments.
Result<std::vector<std::string>> tokenize(std::string_view line, const std::string& where) {
  auto words = split_words(line);
  if (words.empty()) return words;
  if (line.size() > kMaxLine)
    return fail(
        fmt::format("{}: expected at most {} characters in a line, found {}", where, kMaxLine, line.size()));
  if (const auto byte = find_control_byte(line))
    return fail(fmt::format("{}: expected printable text, found a byte of value {}", where, *byte));
  return words;
}

// Calls visit(line, number) for each line of `text` until it fails.
template <typename Visit>
Result<void> for_each_line(std::string_view text, Visit visit) {
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (auto result = visit(text.substr(0, end), number); !result) return result;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

class Parser {
 public:
  explicit Parser(const ConfigReader& reader) : reader_(reader) {}

  Result<void> parse_text(std::string_view text, const std::string& name);
  Result<void> parse_line(std::string_view line, const std::string& where);
  Result<void> parse_file(const std::string& path, const std::string& where);
  Result<Config> finish();

 private:
  Result<void> run(const Directive& row, std::vector<std::string> words, const std::string& where);
  Result<void> include(const std::vector<std::string>& words, const std::string& where);
  Result<void> include_directories(std::vector<std::string> words, const std::string& where);
  void note_effect(const Directive& row, const std::string& where);
  [[nodiscard]] const std::string* last_set(const std::string& key) const;
  Result<void> check_combinations() const;
  void warn_about_combinations();
  void warn(std::string where, std::string text) {
    config_.warnings.push_back({std::move(where), std::move(text)});
  }

  const ConfigReader& reader_;
  Config config_;
  std::map<std::string, std::string, std::less<>> set_at_;  // directive and scope -> where it was last set
  std::vector<std::string_view> later_;                     // directives without function yet, as met
  std::vector<std::string> open_files_;
  unsigned files_read_ = 0;
};

Result<void> Parser::parse_text(std::string_view text, const std::string& name) {
  return for_each_line(text, [&](std::string_view line, unsigned number) {
    return parse_line(line, fmt::format("{}:{}", name, number));
  });
}

Result<void> Parser::parse_line(std::string_view line, const std::string& where) {
  auto words = tokenize(line, where);
  if (!words) return tl::make_unexpected(std::move(words.error()));
  if (words->empty()) return {};
  const Directive* row = find_directive(words->front());
  if (row == nullptr) {
    const auto guess = nearest(words->front(), directive_names());
    return fail(fmt::format("{}: expected a directive, found {}{}", where, quoted(words->front()),
                            guess ? fmt::format(" (did you mean {}?)", *guess) : ""));
  }
  words->front() = row->name;
  if (row->name == "include") return include(*words, where);
  if (row->name == "confdir") return include_directories(std::move(*words), where);
  config_.lines.push_back({where, join_words(*words)});
  return run(*row, std::move(*words), where);
}

Result<void> Parser::run(const Directive& row, std::vector<std::string> words, const std::string& where) {
  Arguments args{row.name, std::move(words)};
  row.read(args, config_);
  args.finish();
  if (args.error()) return fail(fmt::format("{}: {}", where, *args.error()));
  for (const auto& text : args.warnings()) warn(where, text);
  // What only turns out when the port is opened is told with its line too.
  if (auto& ports = config_.dataplanes; !ports.empty() && ports.back().origin.where.empty())
    ports.back().origin.where = where;

  const std::string gap = args.scope().empty() ? "" : " ";
  const std::string key = std::string{row.name} + gap + args.scope();
  const auto [entry, is_new] = set_at_.try_emplace(key, where);
  if (!is_new && row.repeat == Repeat::last_wins)
    warn(where, fmt::format("{}: given again, replaces the line at {}", key, entry->second));
  if (is_new) note_effect(row, where);
  entry->second = where;
  return {};
}

void Parser::note_effect(const Directive& row, const std::string& where) {
  switch (row.effect) {
    case Effect::now:
    case Effect::silent:
      break;
    case Effect::later:
      if (std::find(later_.begin(), later_.end(), row.name) == later_.end()) later_.push_back(row.name);
      break;
    case Effect::never:
      warn(where, fmt::format("{}: {}", row.name, row.note));
      break;
    case Effect::withdrawn:
      warn(where, fmt::format("{}: this directive is no longer supported, ignored", row.name));
      break;
  }
}

Result<void> Parser::include(const std::vector<std::string>& words, const std::string& where) {
  Arguments args{"include", words};
  const std::string pattern = args.word("a file name or pattern");
  args.finish();
  if (args.error()) return fail(fmt::format("{}: {}", where, *args.error()));
  const auto paths = expand_include(pattern, reader_);
  if (!paths)
    return fail(fmt::format("{}: include: expected a directory to search for {}, found {}", where,
                            quoted(pattern), paths.error().message));
  for (const auto& path : *paths)
    if (auto result = parse_file(path, where + ": include: "); !result) return result;
  return {};
}

Result<void> Parser::include_directories(std::vector<std::string> words, const std::string& where) {
  words.erase(words.begin());
  if (words.empty())
    return fail(fmt::format("{}: confdir: expected a directory, found the end of the line", where));
  if (words.size() > kMaxDirectories)
    return fail(fmt::format("{}: confdir: expected at most {} directories, found {}", where, kMaxDirectories,
                            words.size()));
  for (const auto& path : merge_directories(words, ".conf", reader_))
    if (auto result = parse_file(path, where + ": confdir: "); !result) return result;
  return {};
}

// `where` opens the message if the file cannot be read: "file:line: include: ", or nothing.
Result<void> Parser::parse_file(const std::string& path, const std::string& where) {
  if (std::find(open_files_.begin(), open_files_.end(), path) != open_files_.end())
    return fail(
        fmt::format("{}expected a file that is not being read already, found {}", where, quoted(path)));
  if (open_files_.size() > kMaxIncludeDepth)
    return fail(fmt::format("{}expected at most {} files inside one another, found one more: {}", where,
                            kMaxIncludeDepth, quoted(path)));
  if (++files_read_ > kMaxFiles)
    return fail(
        fmt::format("{}expected at most {} files, found one more: {}", where, kMaxFiles, quoted(path)));
  const auto text = reader_.read(path);
  if (!text)
    return fail(
        fmt::format("{}expected a readable file, found {}: {}", where, quoted(path), text.error().message));
  open_files_.push_back(path);
  auto result = parse_text(*text, path);
  open_files_.pop_back();
  return result;
}

const std::string* Parser::last_set(const std::string& key) const {
  const auto entry = set_at_.find(key);
  return entry == set_at_.end() ? nullptr : &entry->second;
}

Result<void> Parser::check_combinations() const {
  const std::string* rate_limit = last_set("ratelimit");
  const std::string* no_log = last_set("noclientlog");
  if (rate_limit != nullptr && no_log != nullptr)
    return fail(
        fmt::format("{}: ratelimit: expected no noclientlog beside it (it needs the client log), found "
                    "one at {}",
                    *rate_limit, *no_log));
  const std::size_t certs = config_.nts_server_certs.size();
  const std::size_t keys = config_.nts_server_keys.size();
  if (certs != keys) {
    const std::string name = certs > 0 ? "ntsservercert" : "ntsserverkey";
    return fail(
        fmt::format("{}: {}: expected an ntsserverkey line for each ntsservercert line, found {} and {}",
                    *last_set(name), name, keys, certs));
  }
  return {};
}

void Parser::warn_about_combinations() {
  const auto& cpus = config_.worker_cpus;
  if (config_.control_cpu && std::find(cpus.begin(), cpus.end(), *config_.control_cpu) != cpus.end())
    warn(*last_set("controlcpu"),
         fmt::format("controlcpu: CPU {} is a worker's too: the control thread will compete with it",
                     *config_.control_cpu));
  if (!cpus.empty() && config_.dataplanes.empty())
    warn(*last_set("workercpus"), "workercpus: no dataplane line, so there are no workers to put there");
  if (!config_.dataplanes.empty() && config_.port == 0)
    warn(*last_set("port"), "port: 0 closes the NTP port, so the dataplane lines answer nothing");
  const auto is_peer = [](const NtpSource& s) { return s.kind == NtpSource::Kind::peer; };
  if (std::any_of(config_.sources.begin(), config_.sources.end(), is_peer))
    for (const server::DataplaneConfig& d : config_.dataplanes)
      if (d.kernel_interface && d.kernel_interface->empty())
        warn(
            d.origin.where,
            "dataplane: with 'kernel off' packets of peers do not get past this port: peer lines do not work "
            "there");
  for (const HwTimestamp& line : config_.hw_timestamps) {
    const auto& ports = config_.dataplanes;
    const auto has = [&](const server::DataplaneConfig& d) { return d.device == line.interface; };
    if (line.interface.find(':') != std::string::npos && std::none_of(ports.begin(), ports.end(), has))
      warn(*last_set("hwtimestamp"),
           fmt::format("hwtimestamp: no dataplane line has {}, so nothing is stamped there", line.interface));
  }
  const auto allows = [](const AccessRule& rule) { return rule.allow; };
  const auto& rules = config_.access_rules;
  if (!config_.dataplanes.empty() && std::none_of(rules.begin(), rules.end(), allows))
    warn("", "no allow line: every client will be denied; add allow, or allow SUBNET, to serve");
}

Result<Config> Parser::finish() {
  if (auto result = check_combinations(); !result) return tl::make_unexpected(std::move(result.error()));
  if (config_.metrics_addresses.empty()) config_.metrics_addresses.push_back(IpAddress::v4(0x7F000001));
  if (last_set("workeridle") == nullptr && !config_.worker_cpus.empty())
    config_.worker_idle = server::WorkerIdle::spin;
  config_.directory_sources = read_source_directories(config_.source_directories, reader_, config_.warnings);
  warn_about_combinations();
  if (!later_.empty()) {
    std::string names;
    for (const auto name : later_) names.append(names.empty() ? "" : ", ").append(name);
    warn("", "accepted, not acted upon by this version: " + names);
  }
  return std::move(config_);
}

// One line of a .sources file; nullopt for blank lines and comments.
Result<std::optional<NtpSource>> parse_source_line(std::string_view line, const std::string& where) {
  auto words = tokenize(line, where);
  if (!words) return tl::make_unexpected(std::move(words.error()));
  if (words->empty()) return std::nullopt;
  const Directive* row = find_directive(words->front());
  if (row == nullptr || (row->name != "server" && row->name != "pool" && row->name != "peer"))
    return fail(fmt::format("{}: expected server, pool or peer, found {}", where, quoted(words->front())));
  Settings scratch;
  Arguments args{row->name, std::move(*words)};
  row->read(args, scratch);
  args.finish();
  if (args.error()) return fail(fmt::format("{}: {}", where, *args.error()));
  return std::move(scratch.sources.front());
}

}  // namespace

std::vector<NtpSource> read_source_directories(std::span<const std::string> source_directories,
                                               const ConfigReader& reader, std::vector<Warning>& warnings) {
  std::vector<NtpSource> sources;
  for (const auto& directories : source_directories) {
    for (const auto& path : merge_directories(split_words(directories), ".sources", reader)) {
      const auto text = reader.read(path);
      if (!text) {
        warnings.push_back({"", fmt::format("{}: file skipped: {}", path, text.error().message)});
        continue;
      }
      (void)for_each_line(*text, [&](std::string_view line, unsigned number) -> Result<void> {
        auto source = parse_source_line(line, fmt::format("{}:{}", path, number));
        if (!source)
          warnings.push_back({"", source.error().message + "; line skipped"});
        else if (*source)
          sources.push_back(std::move(**source));
        return {};
      });
    }
  }
  return sources;
}

Result<Config> parse_config(std::string_view text, std::string_view name, const ConfigReader& reader) {
  Parser parser{reader};
  if (auto result = parser.parse_text(text, std::string{name}); !result)
    return tl::make_unexpected(std::move(result.error()));
  return parser.finish();
}

Result<Config> parse_config_file(const std::string& path, const ConfigReader& reader) {
  Parser parser{reader};
  if (auto result = parser.parse_file(path, ""); !result)
    return tl::make_unexpected(std::move(result.error()));
  return parser.finish();
}

Result<Config> parse_config_lines(std::span<const std::string> directives, const ConfigReader& reader) {
  Parser parser{reader};
  for (std::size_t i = 0; i < directives.size(); ++i) {
    auto result = parser.parse_line(directives[i], fmt::format("command line:{}", i + 1));
    if (!result) return tl::make_unexpected(std::move(result.error()));
  }
  return parser.finish();
}

std::string print_config(const Config& config) {
  std::string text;
  for (const auto& line : config.lines) text += line.text + '\n';
  return text;
}

}  // namespace wiretime::control
