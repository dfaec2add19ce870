// SPDX-License-Identifier: BSD-3-Clause
// Requests captured from Debian 12's chronyc 4.3 on a unix socket, named by what was typed. In the bytes "zN"
// stands for N zero bytes.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace wiretime::status::golden {

struct Request {
  std::string_view typed;
  std::string_view bytes;
};

inline constexpr std::array kRequests{
    Request{"allow", "060100000011000067e70c8f z32"},
    Request{"allow 10.0.0.0/8", "0601000000110000df9e9745 z8 0a z16 01000000000008"},
    Request{"allow all 2001:db8::/32", "0601000000120000a826c64b z8 20010db8 z13 02000000000020"},
    Request{"deny", "060100000013000075040c31 z32"},
    Request{"deny 10.1.2.3", "06010000001300000d66c726 z8 0a010203 z13 01000000000020"},
    Request{"deny all 10.1/16", "0601000000140000a90f139e z8 0a01 z15 01000000000010"},
    Request{"cmdallow", "060100000015000066c958e1 z32"},
    Request{"cmdallow 192.0.2.0/24", "0601000000150000c28e9a87 z8 c00002 z14 01000000000018"},
    Request{"cmdallow all", "06010000001600000bb6a97c z32"},
    Request{"cmddeny 192.0.2.1", "06010000001700008571beef z8 c0000201 z13 01000000000020"},
    Request{"cmddeny all", "0601000000180000b5706e4e z32"},
    Request{"accheck 192.0.2.1", "0601000000190000177a0964 z8 c0000201 z13 010000"},
    Request{"accheck 192.0.2.2", "0601000000190000ea5de68b z8 c0000202 z13 010000"},
    Request{"cmdaccheck 2001:db8::1", "06010000001a00000da47e90 z8 20010db8 z11 0100020000"},
    Request{"cmdaccheck ::1", "06010000001a0000f8f65885 z23 0100020000"},
    Request{"local", "0601000000380000b7dfa9db z11 010000000a0480 z6"},
    Request{"local stratum 5 distance 0.25 orphan",
            "060100000038000069ba5763 z11 01000000050080000000000001"},
    Request{"local off", "060100000038000033edea71 z24"},
    Request{"shutdown", "06010000003e0000beade70d z16"},
    Request{"dump", "06010000000600003074cb54 z16"},
    Request{"cyclelogs", "060100000025000074d5b3fe z16"},
    Request{"makestep", "06010000002b0000910d1466 z16"},
    Request{"makestep 0.1 3", "0601000000320000d5d2e193 z11 03fccccccd"},
    Request{"online", "060100000001000021ced8b6 z48"},
    Request{"online 192.0.2.1", "0601000000010000dff2de8d z8 ffffffff z13 010000c0000201 z13 010000"},
    Request{"online 255.255.255.0/192.0.2.0",
            "0601000000010000aaeb1e31 z8 ffffff z14 010000c00002 z14 010000"},
    Request{"online ffff::/2001::", "06010000000100002f427960 z8 ffff z15 0200002001 z15 020000"},
    Request{"offline", "0601000000020000a4aed7bd z48"},
    Request{"offline 192.0.2.1", "0601000000020000679a4ce4 z8 ffffffff z13 010000c0000201 z13 010000"},
    Request{"onoffline", "06010000003f0000c36ab040 z16"},
    Request{"burst 3/5", "06010000000300001b8cb7dc z51 0300000005"},
    Request{"burst 1/2 255.255.0.0/10.1.0.0",
            "0601000000030000ae3275d9 z8 ffff z15 0100000a01 z15 0100000000000100000002"},
    Request{"add peer 192.0.2.8 offline noselect",
            "06010000004000001fbd6e6b z11 023139322e302e322e38 z250 7b000000060000000a00000064 z7 08 z7 "
            "04ffffffffffffffff z6 116c06c0 z6 0aa0 z6 0480 z9 10 z16"},
    Request{"delete 192.0.2.1", "06010000001d0000476acb16 z8 c0000201 z13 010000"},
    Request{"reload sources", "0601000000460000023967cc z16"},
    Request{"refresh", "0601000000350000e35bd623 z16"},
    Request{"rekey", "06010000001000008f74d418 z16"},
    Request{"reset sources", "06010000004200002c68359b z16"},
    Request{"reselect", "06010000003000006a351c60 z16"},
    Request{"reselectdist 0.5", "0601000000310000323303ac z8 0280 z6"},
    Request{"maxupdateskew 12.5", "0601000000090000e87b2cb9 z8 0ac8 z6"},
    Request{"maxdelay 192.0.2.1 0.3", "06010000000700007bf20e06 z8 c0000201 z13 0100000099999a"},
    Request{"maxdelayratio 192.0.2.1 1.5", "06010000000800007fb59d26 z8 c0000201 z13 01000004c00000"},
    Request{"maxdelaydevratio 192.0.2.1 2.5", "06010000002f000006198134 z8 c0000201 z13 01000006a00000"},
    Request{"minpoll 192.0.2.1 -2", "0601000000040000046f1fd1 z8 c0000201 z13 010000fffffffe"},
    Request{"maxpoll 192.0.2.1 9", "06010000000500000503010b z8 c0000201 z13 01000000000009"},
    Request{"minstratum 192.0.2.1 4", "06010000002d000011710d12 z8 c0000201 z13 01000000000004"},
    Request{"polltarget 192.0.2.1 30", "06010000002e00004ecde634 z8 c0000201 z13 0100000000001e"},
    Request{"dfreq -0.75", "06010000001f0000760040ab z8 0340 z6"},
    Request{"doffset 0.125", "060100000047000022a61b z9 fe80 z6"},
    Request{"settime 2026-11-23 12:00:00", "06010000000b00003dee5de0 z12 6b042ac0 z12"},
    Request{"manual on", "06010000000d0000f40c8139 z11 0100000000"},
    Request{"manual off", "06010000000d0000d96f4639 z16"},
    Request{"manual reset", "06010000000d00005fe21d24 z11 0200000000"},
    Request{"manual delete 3", "06010000002a000094c5e87b z11 0300000000"},
    Request{"smoothtime reset", "060100000034000069b41aab z16"},
    Request{"smoothtime activate", "0601000000340000611842ff z11 0100000000"},
    Request{"writertc", "06010000001e0000c7afaf68 z16"},
    Request{"trimrtc", "06010000002400003825e99c z16"},
    Request{"add server 192.0.2.7 port 1234 iburst minpoll 3 maxpoll 5 key 9 prefer xleave maxdelay 0.5 "
            "offset -0.25 maxdelayquant 0.75",
            "06010000004000006b07fb68 z11 013139322e302e322e37 z249 04d2000000030000000500000064 z7 08 z7 "
            "04ffffffffffffffff000000090000116c0280 z6 0aa0 z6 04800000ff z6 8d z8 02c0 z6"},
    Request{"add pool 2001:db8::9 maxsources 3 nts trust certset 2",
            "060100000040000047e74899 z11 03323030313a6462383a3a39 z248 7b000000060000000a00000064 z7 08 z7 "
            "03ffffffffffffffff z6 116c06c0 z6 0aa0 z6 0480 z8 0221 z7 02 z8"},
    Request{"clients -p 5 -r", "06010000004400001672f311 z15 080000000500000001 z484"},
    Request{"serverstats", "0601000000360000b2403bb7 z60"},
    Request{"ntpdata 192.0.2.1", "0601000000390000cd93247b z8 c0000201 z13 01 z114"},
    Request{"activity", "06010000002c00003f24f1a2 z36"},
    Request{"tracking", "0601000000210000e220def7 z92"},
    Request{"sourcename 192.0.2.1", "0601000000410000397b4a06 z8 c0000201 z13 01 z246"},
    Request{"manual list", "060100000029000044069717 z404"},
    Request{"rtcdata", "060100000023000002418f3d z44"},
    Request{"smoothing", "060100000033000076b7043f z40"},
    Request{"sources (count)", "06010000000e0000dab186a3 z20"},
    Request{"sources (item)", "06010000000f00007bffe31a z11 03 z52"},
    Request{"sourcestats (count)", "06010000000e00000885d527 z20"},
    Request{"sourcestats (item)", "06010000002200000d24ae48 z11 03 z60"},
    Request{"selectdata (count)", "06010000000e00003319e0a3 z20"},
    Request{"selectdata (item)", "06010000004500003985e1b9 z11 03 z52"},
    Request{"authdata (count)", "06010000000e0000e42db55f z20"},
    Request{"authdata (item)", "0601000000430000ef4d0d57 z8 20010db8 z11 020002 z14"},
};

inline std::vector<std::byte> unpack(std::string_view text) {
  std::vector<std::byte> out;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
    } else if (text.front() == 'z') {
      std::size_t n = 0;
      const auto end = std::from_chars(text.data() + 1, text.data() + text.size(), n).ptr;
      out.resize(out.size() + n);
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    } else {
      std::uint8_t v = 0;
      std::from_chars(text.data(), text.data() + 2, v, 16);
      out.push_back(std::byte{v});
      text.remove_prefix(2);
    }
  }
  return out;
}

inline std::vector<std::byte> request(std::string_view typed) {
  for (const Request& r : kRequests) {
    if (r.typed == typed) return unpack(r.bytes);
  }
  throw std::invalid_argument{"no such golden request"};
}

}  // namespace wiretime::status::golden
