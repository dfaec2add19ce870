// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "perf/wireload/options.hpp"

namespace wiretime::load {

std::string help_text() {
  std::string kinds;
  for (std::size_t k = 0; k < kBadPackets; ++k)
    kinds +=
        fmt::format("    {:<11} {}\n", name(static_cast<BadPacket>(k)), describe(static_cast<BadPacket>(k)));
  return fmt::format(R"(wireload: sends NTP requests of many clients to one server and checks the answers

Usage: wireload --port 'KIND DEVICE' --from PREFIX --to ADDRESS [MODE] [OPTION]...
wireload-plot draws several results into one picture.

The wire
  --port 'KIND DEVICE...'  as in a dataplane line of wiretimed.conf: 'af_xdp eth1', 'af_packet eth1',
                           'pci 0000:3b:00.0', 'memif /run/x.sock role client', 'vdev net_NAME,ARGS'.
                           On af_xdp the interface is ours alone: the kernel sees nothing of its traffic
  --to ADDRESS             the server
  --server-port PORT       its UDP port (123)
  --from PREFIX            where the clients live; ARP and ND for it are answered
  --clients N              how many, up to 16M, sharing addresses if need be (all of PREFIX, at most 1M)
  --gateway ADDRESS        the way to the server, if it is not on the wire
  --server-mac MAC         do not ask ARP or ND for it
  --address ADDRESS        an address of our own: give it to the server as the way back to PREFIX
  --vlan N                 tag requests, expect tagged replies
  --cpu N                  the core that sends and receives (any)
  --hugepages on|off|auto  (auto)

Modes
  --sweep FROM:TO:xFACTOR  rates from FROM to TO requests a second (10k:10M:x1.5); +STEP adds
  --step TIME              how long each (2s)
  --rate N                 one rate, such as 1.5M
  --flood                  as fast as possible
  --overload FACTOR        a flood, then FACTOR times what it was answered
  --window N               keep N requests under way: latency, no queue
  --time TIME              how long, of the last four (10s; of an overload each of the two)
  --repeat N               so many times, each a step (1)
  --probe                  before and after each step, time lone requests for 20 ms
  --wait TIME              what is not answered so long after a step is lost (1s)

Requests and answers
  --interleaved            interleaved mode (RFC 9769), 16 bytes a client
  --mix KIND=SHARE,...     bad packets among the requests, none of which may be answered:
{}  --check 1/N|all|auto     share of the replies that is checked (auto: all the core has time for)
  --reflector              the far side sends each request back as it is, like testpmd's 5tswap
  --clock-bound TIME|off   how far the server's time may be from this machine's (1s)
  --seed N                 the same order and addresses again

Results
  --label TEXT             what to call the server (its address)
  --json FILE              write all figures
  --plot FILE.svg          draw load curve and latency
  --require-loss-below N%  exit 1 when a step loses as much or more
  -h, --help, --version    print this, or the version, and exit

Examples
  wireload --port 'af_xdp eth1' --from 10.20.0.0/16 --to 192.0.2.1 --sweep 10k:5M:x1.5 --plot curve.svg
  wireload --port 'memif /run/wire.sock role client' --from 10.20.0.0/12 --to 10.0.0.1 --clients 1M --flood
)",
                     kinds);
}

}  // namespace wiretime::load
