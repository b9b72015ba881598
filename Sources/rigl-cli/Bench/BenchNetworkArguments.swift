import ArgumentParser
import RigLBench
import RigLCore

/// Which network a benchmark measures, and on how many samples.
struct BenchNetworkArguments: ParsableArguments {
  @Argument(help: "The preset.")
  var preset: String

  @Option(help: "The share of connections that exist; 1: the dense network.")
  var density: Double?

  @Option(help: "How connections are shared out: uniform, er, erk.")
  var distribution: String?

  @Option(help: "Samples in a batch.")
  var batch: Int?

  @Option(help: "Threads.")
  var threads = 1

  func validate() throws {
    // Before the machine is measured.
    do throws(RigLError) {
      _ = try Preset.find(preset)
    } catch {
      throw ValidationError(error.what + (error.hint.map { "\n\($0)" } ?? ""))
    }
    _ = try rule()
    if let density, !(density > 0 && density <= 1) {
      throw ValidationError("--density: \(density) is not above 0 and at most 1")
    }
    if let batch, batch < 1 { throw ValidationError("--batch: \(batch) samples") }
  }

  /// Sets what is given.
  func apply(to network: inout PresetNetwork) throws {
    (network.preset, network.density, network.threads) = (preset, density, threads)
    network.distribution = try rule()
    if let batch { network.batch = batch }
  }

  /// The distribution, if one is named.
  private func rule() throws -> SparsityDistribution.Kind? {
    guard let distribution else { return nil }
    guard let rule = SparsityDistribution.Kind(rawValue: distribution) else {
      throw ValidationError("--distribution: '\(distribution)' is not uniform, er or erk")
    }
    return rule
  }
}
