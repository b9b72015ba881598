import RigLCore

/// The stages of a network as `--plan` prints them.
struct PlanTable: Encodable {
  private let stages: [StageDescription]
  private let tensorBytes: Int

  init(_ model: Model) {
    (stages, tensorBytes) = (model.stageDescriptions, model.tensorBytes)
  }

  func text(width: Int) -> String {
    var text = ""
    for stage in stages {
      let bytes = [
        ("output", stage.outputBytes), ("gradient", stage.gradientBytes),
        ("parameters", stage.parameterBytes),
      ].filter { $0.1 > 0 }.map { "\($0.0) \(byteCount($0.1))" }
      let tensors = [shapeText(stage.output)] + bytes
      text += wrapped("\(stage.stage): \(tensors.joined(separator: ", "))", width: width) + "\n"
      guard !stage.applies.isEmpty else { continue }
      let applies = wrapped(stage.applies.joined(separator: "; "), width: width - 2)
      for line in applies.split(separator: "\n") { text += "  \(line)\n" }
    }
    return text
      + wrapped(
        "Outputs and gradients of activations take \(byteCount(tensorBytes)) in all.", width: width)
      + "\n"
  }
}
