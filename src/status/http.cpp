// SPDX-License-Identifier: BSD-3-Clause
#include "status/http.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "status/metrics.hpp"

namespace wiretime::status {

namespace {

constexpr std::string_view kPlainText = "text/plain; charset=utf-8";
constexpr std::string_view kIndex =
    "<!DOCTYPE html>\n<html><head><title>Wiretime</title></head>\n"
    "<body><p>Wiretime NTP server: <a href=\"/metrics\">metrics</a></p></body></html>\n";

struct RequestLine {
  std::string_view method;
  std::string_view path;  // without the query
};

// tchar of RFC 9110 section 5.6.2
bool is_token(std::string_view s) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view take_line(std::string_view& rest) {
  const auto end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

std::optional<RequestLine> parse_request_line(std::string_view line) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {};
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return {};
  RequestLine request;
  request.method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!is_token(request.method) || !is_visible(target)) return {};
  constexpr std::string_view kScheme = "http://";
  if (target.substr(0, kScheme.size()) == kScheme) {  // a proxy's absolute form
    const auto slash = target.find('/', kScheme.size());
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  if (target.empty() || (target.front() != '/' && target != "*")) return {};
  request.path = target.substr(0, target.find('?'));
  return request;
}

// The whole head, up to the empty line.
std::optional<RequestLine> parse_request(std::string_view head) {
  const auto request = parse_request_line(take_line(head));
  if (!request) return {};
  for (;;) {
    const std::string_view line = take_line(head);
    if (line.empty()) return request;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return {};
  }
}

// Where the empty line ends, lines ending in CRLF or bare LF; npos: not there yet.
std::size_t head_end(std::string_view received) {
  for (auto at = received.find('\n'); at != std::string_view::npos; at = received.find('\n', at + 1)) {
    const std::string_view after = received.substr(at + 1);
    if (after.substr(0, 1) == "\n") return at + 2;
    if (after.substr(0, 2) == "\r\n") return at + 3;
  }
  return std::string_view::npos;
}

std::string response(std::string_view status, std::string_view type, std::string_view body, bool head_only,
                     std::string_view extra = {}) {
  std::string out = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Cache-Control: no-store\r\n"
      "Connection: close\r\n\r\n",
      status, type, body.size(), extra);
  if (!head_only) out += body;
  return out;
}

std::string bad_request() {
  return response("400 Bad Request", kPlainText, "Bad request: send GET /metrics HTTP/1.1\n", false);
}

}  // namespace

std::optional<std::string> http_respond(std::string_view received, const Report& report) {
  const auto end = head_end(received.substr(0, kMaxHttpRequest));
  if (end == std::string_view::npos) {
    if (received.size() >= kMaxHttpRequest) return bad_request();
    return {};
  }
  const auto request = parse_request(received.substr(0, end));
  if (!request) return bad_request();
  const bool head_only = request->method == "HEAD";
  if (request->method != "GET" && !head_only) {
    return response("405 Method Not Allowed", kPlainText, "Only GET and HEAD are allowed\n", false,
                    "Allow: GET, HEAD\r\n");
  }
  if (request->path == "/metrics") {
    return response("200 OK", kMetricsContentType, render_metrics(report), head_only);
  }
  if (request->path == "/") return response("200 OK", "text/html; charset=utf-8", kIndex, head_only);
  return response("404 Not Found", kPlainText, "Not found: metrics are at /metrics\n", head_only);
}

}  // namespace wiretime::status
