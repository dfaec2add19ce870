// SPDX-License-Identifier: BSD-3-Clause
// status::Report over the daemon's state: what chronyc and the metrics page read. Control thread.
#pragma once

#include "control/client_listing.hpp"
#include "control/service_state.hpp"
#include "status/report.hpp"

namespace wiretime::control {

class StatusReport final : public status::Report {
 public:
  explicit StatusReport(ServiceState& state) : state_{state} {}

  [[nodiscard]] status::ServiceReport service() const override;
  [[nodiscard]] status::Tracking tracking() const override;
  [[nodiscard]] status::ServerStats server_stats() const override;
  [[nodiscard]] std::optional<status::ClientPage> clients(std::uint32_t first_index,
                                                          std::uint32_t max_records, std::uint32_t min_hits,
                                                          bool reset) override;
  [[nodiscard]] status::ClientLogUse client_log() const override;
  [[nodiscard]] bool ntp_access(const IpAddress& client) const override;
  [[nodiscard]] bool command_access(const IpAddress& client) const override;
  [[nodiscard]] std::vector<status::WorkerReport> workers() const override;
  [[nodiscard]] std::vector<status::PortReport> ports() const override;
  [[nodiscard]] status::Activity activity() const override;
  [[nodiscard]] std::uint32_t source_count() const override;
  [[nodiscard]] std::optional<status::SourceReport> source(std::uint32_t index) const override;
  [[nodiscard]] std::optional<status::SourceStats> source_stats(std::uint32_t index) const override;
  [[nodiscard]] std::optional<status::SelectData> select_data(std::uint32_t index) const override;
  [[nodiscard]] std::optional<std::string> source_name(const status::SourceAddress& source) const override;
  [[nodiscard]] std::optional<status::NtpData> ntp_data(const status::SourceAddress& source) const override;
  [[nodiscard]] std::optional<status::Smoothing> smoothing() const override;
  [[nodiscard]] std::optional<status::AuthData> auth_data(const status::SourceAddress& source) const override;
  [[nodiscard]] std::vector<status::ManualSample> manual_samples() const override;

 private:
  [[nodiscard]] std::vector<ClientLog> client_logs() const;
  [[nodiscard]] double hardware_error_bound() const;

  ServiceState& state_;
  ClientListing listing_;
};

}  // namespace wiretime::control
