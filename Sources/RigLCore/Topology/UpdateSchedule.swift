import Foundation

/// When the topology moves, and what fraction of the connections.
///
/// An update happens before step t iff begin ≤ t ≤ end and last + ΔT ≤ t, where `last` is the step
/// of the previous one and at first −ΔT: the first update comes at t = begin. The schedule is a
/// value without state; the training loop keeps `last` and saves it.
///
/// Reference: Evci et al., *Rigging the Lottery: Making All Tickets Winners*, ICML 2020, section 3.
/// <https://arxiv.org/abs/1911.11134>
public struct UpdateSchedule: Hashable, Sendable {
  /// How the fraction changes from `begin` to `end`; x = (t − begin) / (end − begin).
  public enum Annealing: String, Hashable, Sendable, Codable, CaseIterable {
    /// f = α.
    case constant
    /// f = α/2 (1 + cos(π x)); needs an end.
    case cosine
    /// f = α (1 − x)^p; needs an end.
    case inversePower = "inverse_power"
    /// f = α · learning rate / the largest one.
    case learningRate = "learning_rate"

    /// Whether the fraction depends on where the schedule ends.
    package var needsEnd: Bool { self == .cosine || self == .inversePower }
  }

  /// Steps from one update to the next, at least (ΔT).
  public var interval: Int
  /// The first step that may have an update.
  public var begin: Int
  /// The last step that may have an update (T_end); nil never stops.
  public var end: Int?
  /// The fraction of each layer's connections that the first update moves (α).
  package var initialFraction: Double
  /// How the fraction changes.
  package var annealing: Annealing
  /// The exponent of ``Annealing/inversePower`` (p); the others do not use it.
  package var power: Double

  /// Creates a schedule; nothing is checked before it is used.
  public init(
    interval: Int = 100, begin: Int = 0, end: Int?, initialFraction: Double = 0.3,
    annealing: Annealing = .cosine, power: Double = 3
  ) {
    self.interval = interval
    self.begin = begin
    self.end = end
    self.initialFraction = initialFraction
    self.annealing = annealing
    self.power = power
  }

  /// Where updates end by default: trunc(.75 · steps), in weight updates.
  package static func defaultEnd(steps: Int) -> Int { steps / 4 * 3 + steps % 4 * 3 / 4 }

  /// `last` before there was an update: −ΔT.
  package var initialLast: Int { -interval }

  /// Whether an update comes before step `step`, the previous one having come before `last`.
  public func isDue(step: Int, last: Int) -> Bool {
    begin <= step && step <= end ?? .max && last + interval <= step
  }

  /// The fraction of the connections that an update before step `step` moves (f).
  ///
  /// Steps before `begin` have the first fraction, steps after `end` the last.
  ///
  /// - Parameters:
  ///   - step: the step (t).
  ///   - learningRate: the rate at this step; only ``Annealing/learningRate`` uses it.
  ///   - peak: the largest rate of the run.
  package func fraction(at step: Int, learningRate: Double, peak: Double) -> Double {
    switch annealing {
    case .constant: return initialFraction
    case .cosine: return initialFraction / 2 * (1 + cos(.pi * progress(at: step)))
    case .inversePower: return initialFraction * pow(1 - progress(at: step), power)
    case .learningRate:
      trap(unless: peak > 0, "fraction: the peak of the learning rate is \(peak)")
      return initialFraction * (learningRate / peak)
    }
  }

  /// How many of a layer's `n` connections an update moves: k = trunc(float32(n) · float32(f)).
  ///
  /// In single precision on purpose: of 100 connections, .29 moves 29, where double precision would
  /// truncate to 28.
  package static func moved(of n: Int, fraction f: Double) -> Int {
    trap(unless: n >= 0 && f >= 0 && f <= 1, "moved: a fraction of \(f) of \(n) connections")
    // float32(n) may round upwards, from 2^24 on.
    return min(Int(Float(n) * Float(f)), n)
  }

  /// The schedule of a training `multiplier` (M) times as long: begin and end move, ΔT stays.
  package func scaled(by multiplier: Double) -> UpdateSchedule {
    var scaled = self
    scaled.begin = scaledStep(begin, by: multiplier)
    scaled.end = end.map { scaledStep($0, by: multiplier) }
    return scaled
  }

  /// Throws a configuration error if a number is out of range, or an annealing that needs an end
  /// has none.
  package func validate() throws(RigLError) {
    guard interval > 0 else {
      throw RigLError(.configuration, "topology updates every \(interval) steps: must be positive")
    }
    guard initialFraction >= 0 && initialFraction <= 1 else {
      throw RigLError(
        .configuration, "the fraction of connections to move, \(initialFraction), is outside [0, 1]"
      )
    }
    guard begin >= 0 else {
      throw RigLError(
        .configuration, "topology updates begin at step \(begin): must not be negative")
    }
    if let end, end < begin {
      throw RigLError(
        .configuration, "topology updates end at step \(end), before they begin (\(begin))")
    }
    guard end != nil || !annealing.needsEnd else {
      throw RigLError(
        .configuration, "\(annealing.rawValue) annealing of topology updates without an end",
        hint: "give the step at which they end, or choose constant or learning_rate annealing")
    }
    guard annealing != .inversePower || (power > 0 && power.isFinite) else {
      throw RigLError(
        .configuration, "inverse_power annealing with power \(power): must be positive")
    }
  }

  /// x = (t − begin) / (end − begin), in 0...1.
  private func progress(at step: Int) -> Double {
    guard let end else { trap("\(annealing.rawValue) annealing without an end") }
    guard end > begin else { return 0 }  // a single update, at the first fraction
    return Double(min(max(step, begin), end) - begin) / Double(end - begin)
  }
}
