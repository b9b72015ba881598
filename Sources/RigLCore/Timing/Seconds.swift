extension ContinuousClock.Instant {
  /// Seconds since this instant.
  var secondsToNow: Double {
    let duration = duration(to: .now)
    return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
