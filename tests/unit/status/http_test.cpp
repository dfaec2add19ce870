// SPDX-License-Identifier: BSD-3-Clause
#include "status/http.hpp"

#include <random>

#include "catch.hpp"
#include "fake_report.hpp"
#include "status/metrics.hpp"

using namespace wiretime::status;

namespace {

std::string respond(std::string_view request) {
  const auto response = http_respond(request, fake::FakeReport{});
  REQUIRE(response.has_value());
  return *response;
}

std::string status(std::string_view request) {
  const std::string response = respond(request);
  REQUIRE(response.substr(0, 9) == "HTTP/1.1 ");
  return response.substr(9, 3);
}

std::string body(const std::string& response) {
  const auto end = response.find("\r\n\r\n");
  REQUIRE(end != std::string::npos);
  return response.substr(end + 4);
}

bool has_header(const std::string& response, const std::string& line) {
  return response.substr(0, response.find("\r\n\r\n") + 2).find("\r\n" + line + "\r\n") != std::string::npos;
}

}  // namespace

TEST_CASE("GET /metrics is the metrics page", "[http]") {
  const std::string expected = render_metrics(fake::FakeReport{});
  for (const std::string request :
       {"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", "GET /metrics HTTP/1.0\r\n\r\n",
        "GET /metrics?name=x HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://x:9123/metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET /metrics HTTP/1.1\nHost: x\n\n"}) {
    CAPTURE(request);
    const std::string response = respond(request);
    CHECK(response.substr(0, 17) == "HTTP/1.1 200 OK\r\n");
    CHECK(has_header(response, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
    CHECK(has_header(response, "Content-Length: " + std::to_string(expected.size())));
    CHECK(has_header(response, "Connection: close"));
    CHECK(body(response) == expected);
  }
}

TEST_CASE("HEAD answers with the headers of GET and no body", "[http]") {
  for (const std::string path : {"/metrics", "/", "/no"}) {
    const std::string get = respond("GET " + path + " HTTP/1.1\r\n\r\n");
    const std::string head = respond("HEAD " + path + " HTTP/1.1\r\n\r\n");
    CHECK(head == get.substr(0, get.find("\r\n\r\n") + 4));
  }
}

TEST_CASE("the root links the metrics, other paths are not found", "[http]") {
  CHECK(body(respond("GET / HTTP/1.1\r\n\r\n")).find("href=\"/metrics\"") != std::string::npos);
  for (const std::string path : {"/metric", "/metrics/", "//metrics", "/METRICS", "/../etc/passwd", "*"}) {
    CHECK(status("GET " + path + " HTTP/1.1\r\n\r\n") == "404");
  }
}

TEST_CASE("other methods are refused and told what is allowed", "[http]") {
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "get", "BREW"}) {
    const std::string response = respond(method + " /metrics HTTP/1.1\r\n\r\n");
    CHECK(response.substr(9, 3) == "405");
    CHECK(has_header(response, "Allow: GET, HEAD"));
    CHECK(has_header(response, "Connection: close"));
  }
}

TEST_CASE("malformed requests are bad requests", "[http]") {
  for (const std::string request :
       {"\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/2.0\r\n\r\n", "GET /metrics HTTP/1.1 \r\n\r\n", "GET metrics HTTP/1.1\r\n\r\n",
        "G T /metrics HTTP/1.1\r\n\r\n", "GET /me\ttrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n: empty\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\n\n"}) {
    CAPTURE(request);
    CHECK(status(request) == "400");
  }
}

TEST_CASE("an incomplete request is waited for, up to 8 KiB", "[http]") {
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
  const fake::FakeReport report;
  for (std::size_t n = 0; n < request.size(); ++n) {
    CHECK_FALSE(http_respond(std::string_view{request}.substr(0, n), report).has_value());
  }
  CHECK(http_respond(request, report).has_value());
  CHECK(status(request + "pipelined rubbish") == "200");

  std::string head = "GET / HTTP/1.1\r\nX: ";
  std::string fits = head + std::string(kMaxHttpRequest - head.size() - 4, 'x') + "\r\n\r\n";
  CHECK(status(fits) == "200");
  CHECK(status(head + std::string(kMaxHttpRequest - head.size() - 3, 'x') + "\r\n\r\n") == "400");
  CHECK_FALSE(http_respond(std::string(kMaxHttpRequest - 1, 'x'), report).has_value());
  CHECK(status(std::string(kMaxHttpRequest, 'x')) == "400");
  CHECK(status(std::string(100'000, '\0')) == "400");
}

TEST_CASE("no random bytes get anything but a known status", "[http]") {
  std::mt19937 random{80};
  const std::string alphabet = "GETHAD /metricsP1.0:\r\n\r\n\n?*x";
  for (int i = 0; i < 50'000; ++i) {
    std::string request(random() % 60, ' ');
    for (char& c : request) c = alphabet[random() % alphabet.size()];
    const auto response = http_respond(request, fake::FakeReport{});
    if (!response) continue;
    const std::string code = response->substr(9, 3);
    REQUIRE((code == "200" || code == "400" || code == "404" || code == "405"));
  }
}
