import RigLCore

/// A sparse layer and its operands: the real layer of a real model, without bias or ReLU.
final class SparseStep {
  let layerCase: LayerCase
  let connections: Int
  private let step: LayerStep

  init(_ layerCase: LayerCase, density: Double, seed: UInt64 = 1) throws(RigLError) {
    self.layerCase = layerCase
    connections = layerCase.connections(density: density)
    step = try LayerStep(
      SparseLinear("layer", inputs: layerCase.inputs, outputs: layerCase.outputs, bias: false),
      input: SampleShape(channels: layerCase.inputs), batch: layerCase.batch,
      connections: connections, seed: seed)
  }

  /// One step: the weights have changed, forward, backward.
  func run(_ pass: Pass) throws(RigLError) { try step.run(pass) }

  /// The largest error of some of the last step's results, relative to the sum of their terms'
  /// magnitudes, against sums in double over the connections: rounding alone gives some 1e-7.
  func residual() -> Double {
    guard let weights = step.model.sparseLayers.first, let site = step.times.site,
      let inputGradient = site.inputGradient
    else { return .nan }
    let (input, output, outputGradient) = (step.input, site.output, step.gradient)
    let samples = Set([0, layerCase.batch / 2, layerCase.batch - 1])
    let rows = SparseStep.some(of: layerCase.outputs)
    let columns = SparseStep.some(of: layerCase.inputs)
    var (forward, backward) = ([Int: Sum](), [Int: Sum]())
    var worst = 0.0
    weights.forEachConnection { index, position, storage in
      let (row, column) = position.quotientAndRemainder(dividingBy: layerCase.inputs)
      let weight = Double(weights.parameter.values[storage])
      for sample in samples {
        if rows.contains(row) {
          forward[row * layerCase.batch + sample, default: Sum()]
            .add(weight * Double(input[sample, column]))
        }
        if columns.contains(column) {
          backward[column * layerCase.batch + sample, default: Sum()]
            .add(weight * Double(outputGradient[sample, row]))
        }
      }
      guard rows.contains(row), columns.contains(column) || index % 97 == 0 else { return }
      var gradient = Sum()
      for sample in 0..<layerCase.batch {
        gradient.add(Double(outputGradient[sample, row]) * Double(input[sample, column]))
      }
      worst = max(worst, gradient.error(of: weights.parameter.gradient[storage]))
    }
    for row in rows {
      for sample in samples {
        let sum = forward[row * layerCase.batch + sample] ?? Sum()
        worst = max(worst, sum.error(of: output[sample, row]))
      }
    }
    for column in columns {
      for sample in samples {
        let sum = backward[column * layerCase.batch + sample] ?? Sum()
        worst = max(worst, sum.error(of: inputGradient[sample, column]))
      }
    }
    return worst
  }

  /// A few indices, first and last included.
  private static func some(of count: Int) -> Set<Int> {
    Set((0..<8).map { $0 * (count - 1) / 7 })
  }

  /// A sum and that of its terms' magnitudes.
  private struct Sum {
    var value = 0.0
    var magnitude = 0.0

    mutating func add(_ term: Double) {
      value += term
      magnitude += term.magnitude
    }

    func error(of result: Float) -> Double {
      let difference = (Double(result) - value).magnitude
      // A NaN must not pass for a small error.
      if !(difference < .infinity) { return .infinity }
      return difference == 0 ? 0 : difference / max(magnitude, 1e-30)
    }
  }
}
