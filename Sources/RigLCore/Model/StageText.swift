// The stages that run, as text: one line each, in the order of a forward pass.

extension Model {
  /// The stages that run, in the order of a forward pass: name, shapes, and what each applies
  /// besides its own operation.
  package var stageLines: [String] {
    var lines: [String] = []
    _ = Model.describe(layers, layerShape, into: &lines)
    return lines
  }

  private var layerShape: SampleShape { inputShape.strip(of: strips) }

  private static func describe(
    _ sequence: Sequential, _ input: SampleShape, addsAtStart: Bool = false, defers: Bool = false,
    addsAtEnd: Bool = false, into lines: inout [String]
  ) -> SampleShape {
    var shape = input
    for (place, stage) in sequence.stages.enumerated() {
      let output = (try? stage.outputShape(of: shape)) ?? shape
      let isLast = place == sequence.stages.count - 1
      if let inner = stage as? Sequential {
        shape = describe(inner, shape, into: &lines)
        continue
      }
      if let block = stage as? Residual {
        describe(block, shape, output, into: &lines)
        shape = output
        continue
      }
      var text = "\(name(of: stage)): \(shape.written) → \(output.written)"
      if let reader = stage as? any PlaneReader { text += words(reader.prologue) }
      if let layer = stage as? any EpilogueLayer { text += words(layer.epilogue) }
      if let relu = stage as? ReLU { text += words(relu.ownEpilogue) }
      if let dropout = stage as? Dropout { text += words(dropout.ownEpilogue) }
      if addsAtEnd, isLast { text += "; writes the sum" }
      if let writer = stage as? any PlaneWriter {
        text += words(writer.outputNorm, writer.foldsNorm)
      }
      if addsAtStart, place == 0 { text += "; adds the shortcut's gradient" }
      if defers, place == 0 { text += "; leaves what it reads to the main branch" }
      lines.append(text)
      shape = output
    }
    return shape
  }

  private static func describe(
    _ block: Residual, _ input: SampleShape, _ output: SampleShape, into lines: inout [String]
  ) {
    let name = StagePlan.name(of: block)
    var text = "\(name) entry: \(input.written)" + words(block.shared)
    if block.passesBy { text += "; the shortcut passes by" }
    lines.append(text)
    _ = describe(
      block.shortcut, input, defers: !block.shortcut.layers.isEmpty, into: &lines)
    _ = describe(
      block.main, input, addsAtStart: !block.passesBy, addsAtEnd: block.joinsOutput != nil,
      into: &lines)
    text = "\(name): \(output.written)"
    if block.joinsOutput != nil { text += "; written by the main branch" }
    if let norm = block.main.trailingNorm { text += "; main by \(norm.name)" }
    if let norm = block.shortcut.trailingNorm { text += "; shortcut by \(norm.name)" }
    if block.relu { text += "; relu" }
    lines.append(text + words(block.outputNorm, block.foldsNorm))
  }

  private static func name(of stage: any Layer) -> String {
    (stage as? any WeightLayer)?.name ?? StagePlan.describe(stage).0
  }

  private static func words(_ prologue: Prologue) -> String {
    let parts = [prologue.norm?.name, prologue.relu ? "relu" : nil].compactMap(\.self)
    return parts.isEmpty ? "" : "; reads through \(parts.joined(separator: ", "))"
  }

  private static func words(_ epilogue: Epilogue) -> String {
    (epilogue.relu ? "; relu" : "")
      + (epilogue.dropout > 0
        ? "; dropout \(epilogue.dropout), key \(epilogue.dropoutLayer)" : "")
  }

  private static func words(_ norm: BatchNorm?, _ folds: Bool) -> String {
    guard let norm else { return "" }
    return "; sums \(norm.name)" + (folds ? ", takes its gradient" : "")
  }
}
