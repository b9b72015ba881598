// The plan as text: one line a stage, in the order of a forward pass.

extension Plan {
  /// The stages that run: name, shapes, and what each applies besides its own operation.
  var lines: [String] { forwardOrder.map { line(nodes[$0]) } }

  /// A stage's name in reports: its layer's, or what it does.
  func name(of node: PlanNode) -> String {
    switch node.operation {
    case .layer(let layer): layer.stageName
    case .normReLU: node.reading.norm.map { norms[$0].name } ?? "relu"
    case .copy: node.outputNorm.map { norms[$0].name } ?? "copy"
    case .fork(let block), .sum(let block): blocks[block].name
    }
  }

  private func line(_ node: PlanNode) -> String {
    let (input, output) = (values[node.input].shape, values[node.output].shape)
    switch node.operation {
    case .fork(let number):
      let block = blocks[number]
      return "\(block.name) entry: \(input.written)" + words(block.shared)
        + (block.passesBy ? "; the shortcut passes by" : "")
    case .sum(let number):
      let block = blocks[number]
      var text = "\(block.name): \(output.written)"
      if block.isWritten { text += "; written by the main branch" }
      if let norm = block.mainNorm { text += "; main by \(norms[norm].name)" }
      if let norm = block.shortcutNorm { text += "; shortcut by \(norms[norm].name)" }
      if block.relu { text += "; relu" }
      return text + words(node)
    case .layer, .normReLU, .copy:
      var text = "\(name(of: node)): \(input.written) → \(output.written)" + words(node.reading)
      if node.epilogue.relu { text += "; relu" }
      if node.epilogue.dropout > 0 {
        text += "; dropout \(node.epilogue.dropout), key \(node.epilogue.dropoutLayer)"
      }
      if node.addend != nil { text += "; writes the sum" }
      text += words(node)
      if node.addsGradientOf != nil { text += "; adds the shortcut's gradient" }
      if node.leavesReading { text += "; leaves what it reads to the main branch" }
      return text
    }
  }

  private func words(_ reading: PlanNode.Reading) -> String {
    let parts = [reading.norm.map { norms[$0].name }, reading.relu ? "relu" : nil]
      .compactMap(\.self)
    return parts.isEmpty ? "" : "; reads through \(parts.joined(separator: ", "))"
  }

  private func words(_ node: PlanNode) -> String {
    guard let norm = node.outputNorm else { return "" }
    return "; sums \(norms[norm].name)" + (node.takesNormGradient ? ", takes its gradient" : "")
  }
}

extension Model {
  /// The stages that run, in the order of a forward pass: name, shapes, and what each applies
  /// besides its own operation.
  package var stageLines: [String] { plan.lines }
}
