// SPDX-License-Identifier: BSD-3-Clause
#include "perf/wireload/options.hpp"

#include "catch.hpp"

namespace wiretime::load {

namespace {

using Words = std::vector<std::string>;

Words with(Words more) {
  Words words{"--port", "af_packet eth1", "--from", "10.20.0.0/16", "--to", "192.0.2.1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string error_of(const Words& words) {
  const auto options = parse_options(words);
  return options ? "" : options.error().message;
}

}  // namespace

TEST_CASE("what is not said has a sensible value") {
  const auto o = parse_options(with({}));
  REQUIRE(o);
  CHECK(o->mode == Mode::sweep);
  CHECK(o->port.kind == server::DataplaneConfig::Kind::af_packet);
  CHECK(o->port.device == "eth1");
  CHECK(o->port_text == "af_packet eth1");
  CHECK(o->clients == 65534);
  CHECK(o->server_port == 123);
  CHECK(o->step == std::chrono::seconds{2});
  CHECK_FALSE(o->check);
  CHECK(o->clock_bound == std::chrono::seconds{1});
}

TEST_CASE("every option is understood") {
  const auto o = parse_options(with({"--server-port=1123",
                                     "--server-mac",
                                     "02:00:00:00:00:0a",
                                     "--gateway",
                                     "198.51.100.1",
                                     "--address",
                                     "198.51.100.2",
                                     "--clients",
                                     "16777216",
                                     "--vlan",
                                     "7",
                                     "--cpu",
                                     "1",
                                     "--hugepages",
                                     "off",
                                     "--rate",
                                     "1.5M",
                                     "--time",
                                     "30s",
                                     "--repeat",
                                     "3",
                                     "--wait",
                                     "2.5s",
                                     "--interleaved",
                                     "--mix",
                                     "short=1%",
                                     "--check",
                                     "all",
                                     "--clock-bound",
                                     "off",
                                     "--seed",
                                     "42",
                                     "--require-loss-below",
                                     "0.1%",
                                     "--label",
                                     "a b",
                                     "--json",
                                     "r.json",
                                     "--plot",
                                     "r.svg"}));
  REQUIRE(o);
  CHECK(o->server_port == 1123);
  CHECK(std::to_integer<int>(o->server_mac->back()) == 10);
  CHECK(o->gateway == IpAddress::parse("198.51.100.1"));
  CHECK(o->addresses == std::vector{*IpAddress::parse("198.51.100.2")});
  CHECK(o->clients == Clients::kMost);
  CHECK(o->port.vlan == 7);
  CHECK(o->cpu == 1U);
  CHECK(o->hugepages == server::Hugepages::off);
  CHECK(o->mode == Mode::rate);
  CHECK(o->rate == 1.5e6);
  CHECK(o->time == std::chrono::seconds{30});
  CHECK(o->repeat == 3);
  CHECK(o->wait == std::chrono::milliseconds{2500});
  CHECK(o->interleaved);
  CHECK_FALSE(o->mix.empty());
  CHECK(o->check == 1.0);
  CHECK_FALSE(o->clock_bound);
  CHECK(o->seed == 42U);
  CHECK(o->require_loss_below == Approx(0.001));
  CHECK(o->label == "a b");
  CHECK(o->json_file == "r.json");
  CHECK(o->plot_file == "r.svg");
}

TEST_CASE("the port brings its own addresses, gateway and tag") {
  const auto o = parse_options(Words{"--vlan", "9", "--port",
                                     "memif /run/x.sock role client address 10.0.0.2/8 gateway 10.0.0.9",
                                     "--from", "10.16.0.0/12", "--to", "10.0.0.1", "--flood"});
  REQUIRE(o);
  CHECK(o->port.memif_role == server::DataplaneConfig::MemifRole::client);
  CHECK(o->port.vlan == 9);
  CHECK(o->gateway == IpAddress::parse("10.0.0.9"));
  CHECK(o->addresses == std::vector{*IpAddress::parse("10.0.0.2")});
  CHECK(o->mode == Mode::flood);
  CHECK(o->clients == (1U << 20) - 2);
}

TEST_CASE("of several modes the last one counts, alone") {
  const auto o = parse_options(with({"--window", "5", "--rate", "1M"}));
  REQUIRE(o);
  CHECK(o->mode == Mode::rate);
  CHECK(o->rate == 1e6);
  CHECK(o->window == 0);
  const auto over = parse_options(with({"--rate", "1M", "--overload", "2", "--probe"}));
  REQUIRE(over);
  CHECK(over->mode == Mode::overload);
  CHECK(over->overload == 2);
  CHECK(over->rate == 0);
  CHECK(over->probe);
}

TEST_CASE("what is wrong is named, with what was expected and found") {
  CHECK(error_of({}) ==
        "--port: expected the words of a dataplane line, such as 'af_xdp eth1', found nothing");
  CHECK(error_of({"--port", "af_xdp eth1"}) == "--to: expected the server's numeric address, found nothing");
  CHECK(error_of({"--port", "af_xdp eth1", "--to", "::2"}) ==
        "--from: expected a prefix for the clients, such as 10.20.0.0/16, found nothing");
  CHECK(error_of({"--port", "af_xpd eth1"}) ==
        "--port: expected af_xdp, af_packet, pci, memif or vdev, found \"af_xpd\"");
  CHECK(error_of({"--port", "memif x"}) ==
        "--port: expected the absolute path of a socket, at most 107 characters, found \"x\"");
  CHECK(error_of({"--port", "af_xdp eth1 queues 2", "--to", "10.0.0.1", "--from", "10.1.0.0/16"}) ==
        "--port: expected one queue, which is what one core serves");
  CHECK(error_of({"--rte", "1"}) == "expected an option that --help lists, found \"--rte\"");
  CHECK(error_of(with({"stray"})) == "expected an option that --help lists, found \"stray\"");
  CHECK(error_of(with({"--wait", "9s"})) == "--wait: expected a time such as 1s, at most 8s, found \"9s\"");
  CHECK(error_of(with({"--rate"})) ==
        "--rate: expected requests a second, such as 1.5M, found the end of the command line");
  CHECK(error_of(with({"--rate", "-5"})) == "--rate: expected requests a second, such as 1.5M, found \"-5\"");
  CHECK(error_of(with({"--clients", "17M"})) ==
        "--clients: expected a number from 1 to 16777216, such as 1M, found \"17M\"");
  CHECK(
      error_of(with({"--server-mac", "01:00:00:00:00:01"})) ==
      "--server-mac: expected a unicast MAC address such as 02:00:00:00:00:01, found \"01:00:00:00:00:01\"");
  CHECK(error_of(with({"--gateway", "2001:db8::1"})) ==
        "--gateway: expected an IPv4 address like --to's, found 2001:db8::1");
  CHECK(error_of(with({"--sweep", "10k:5M"})) ==
        "--sweep: expected FROM:TO:xFACTOR or FROM:TO:+STEP, such as 10k:5M:x1.5, found \"10k:5M\"");
  CHECK(error_of(with({"--mix", "short=1%", "--window", "4"})) ==
        "--mix: expected a mode other than --window, where every packet waits for its answer");
  CHECK(error_of(with({"--mix", "short=1%", "--probe"})) ==
        "--mix: expected no --probe, whose packets wait for their answers");
  CHECK(error_of(with({"--repeat", "0"})) == "--repeat: expected a number of times, 1 to 10000, found \"0\"");
  CHECK(error_of(with({"--interleaved", "--check", "1/2"})) ==
        "--check: expected all with --interleaved, which needs every reply's timestamps");
  CHECK(error_of(with({"--mix", "x=1%"})).substr(0, 41) == "--mix: expected a kind of bad packet (mal");
}

TEST_CASE("a sweep goes by factor or by step, and includes its end") {
  const auto by_factor = Sweep::parse("10k:1M:x10");
  REQUIRE(by_factor);
  CHECK(by_factor->rates() == std::vector<double>{10e3, 100e3, 1e6});
  const auto by_step = Sweep::parse("100k:300k:+100k");
  REQUIRE(by_step);
  CHECK(by_step->rates() == std::vector<double>{100e3, 200e3, 300e3});
  CHECK(Sweep::parse("10k:5M:x1.5")->rates().size() == 16);
  for (const auto* bad :
       {"", "10k", "10k:5M:", "10k:5M:1.5", "5M:10k:x2", "10k:5M:x1", "1:9M:+1", "10k:5M:x1.5:", "a:b:xc"})
    CHECK_FALSE(Sweep::parse(bad));
}

TEST_CASE("help and version need nothing else") {
  CHECK(parse_options(Words{"--help"})->action == Options::Action::print_help);
  CHECK(parse_options(Words{"-h"})->action == Options::Action::print_help);
  CHECK(parse_options(Words{"--version"})->action == Options::Action::print_version);
  for (std::size_t k = 0; k < kBadPackets; ++k)
    CHECK(help_text().find(std::string{name(static_cast<BadPacket>(k))}) != std::string::npos);
}

}  // namespace wiretime::load
