// What the commands say of a run whose network was made in Swift: all that needs no network.

import RigLCore

extension RunArguments {
  /// The run's weights, if only Swift can make its network; nil: ``open(threads:batch:foldsBatchNorm:_:)``
  /// opens the run.
  func storedNetwork(_ printing: PrintingArguments) throws -> StoredNetwork? {
    guard try !SavedRun.isStripped(at: folder), try RunFolder.open(folder).hasCustomNetwork(),
      let stored = try StoredNetwork(folder, best: best)
    else { return nil }
    printing.warn(stored.warnings)
    return stored
  }
}

/// `rigl inspect` of a run whose network was made in Swift.
struct StoredInspection: Encodable {
  private let run: String
  private let checkpoint: String
  private let checkpointBytes: Int
  private let step: Int
  private let network: Network
  /// The last line of the text.
  private let end: String

  private struct Network: Encodable {
    let custom: String
    let layers: [StoredNetwork.Layer]
    let connections: Int
    let positions: Int
    let density: Double
    let bytes: Int
  }

  private enum CodingKeys: String, CodingKey {
    case run, checkpoint, checkpointBytes, step, network
  }

  init(_ stored: StoredNetwork, of source: RunArguments) {
    run = source.folder
    end = source.line(step: stored.step, round: stored.round, bytes: stored.checkpointBytes)
    (checkpoint, checkpointBytes) = (stored.checkpointPath, stored.checkpointBytes)
    step = stored.step
    let positions = stored.layers.reduce(0) { $0 + $1.positions }
    network = Network(
      custom: stored.description.type, layers: stored.layers, connections: stored.connections,
      positions: positions, density: Double(stored.connections) / Double(max(positions, 1)),
      bytes: stored.layers.reduce(0) { $0 + $1.bytes })
  }

  func print(_ printing: PrintingArguments) throws {
    try printing.print(self, orText: text(width: Terminal.standardOutput.columns))
  }

  private func text(width: Int) -> String {
    var table = Table([
      .word("layer"), .word("shape", rank: 0), .number("density", rank: 2),
      .number("connections", rank: 3), .number("bytes", rank: 1),
    ])
    for layer in network.layers {
      table.add([
        layer.name, shapeText(layer.shape), percent(layer.density), grouped(layer.connections),
        byteCount(layer.bytes),
      ])
    }
    table.addTotal([
      "total", "", percent(network.density), grouped(network.connections), byteCount(network.bytes),
    ])
    let lines = [
      "The network (\(network.custom)) was made in Swift: which units are live, and what it predicts, "
        + "only Swift can say, by SavedRun(…, network: …).",
      end,
    ]
    return table.text(width: width) + "\n"
      + lines.map { wrapped($0, width: width) + "\n" }.joined()
  }
}
