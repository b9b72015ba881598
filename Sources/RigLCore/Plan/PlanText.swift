// The plan as text: one line a stage, in the order of a forward pass.

/// A stage of a plan in words.
package struct StageDescription: Hashable, Sendable, Encodable {
  /// The layer's name, or what the stage does.
  package let stage: String
  /// Channels, height and width of a sample of its output.
  package let output: [Int]
  /// The work of other layers that the stage applies, by name.
  package let applies: [String]
  /// Bytes of its output for a full batch and of what its activation keeps, of its input's gradient,
  /// and of what an optimizer changes; 0 of a tensor that is another stage's, or not there.
  package let outputBytes: Int
  package let gradientBytes: Int
  package let parameterBytes: Int
}

extension Plan {
  /// The stages that run.
  var descriptions: [StageDescription] {
    forwardOrder.map { number in
      let node = nodes[number]
      var (output, writes) = (values[node.output], true)
      if case .fork = node.operation { (output, writes) = (values[node.input], false) }
      if case .sum(let block) = node.operation { writes = !blocks[block].isWritten }
      let isInPlace = node.inputGradient == node.outputGradient
      var gradient = isInPlace ? nil : node.inputGradient.map { gradients[$0] }
      if case .fork = node.operation { gradient = nil }
      return StageDescription(
        stage: title(of: node),
        output: [
          output.shape.channels, output.shape.height, output.shape.width,
        ], applies: applied(node),
        outputBytes: (writes ? output.bytes : 0) + (node.kept.map { values[$0].bytes } ?? 0),
        gradientBytes: gradient?.bytes ?? 0,
        parameterBytes: stages[number].parameters.reduce(0) { $0 + 4 * $1.count })
    }
  }

  /// Bytes of a full batch and all outputs, each memory counted once.
  var activationBytes: Int {
    Tensor.bytes(of: values)
      + 4 * Tensor.elements(shape: input.shape, capacity: input.capacity, lanes: input.lanes)
  }

  /// Bytes of all outputs and gradients of activations, each memory counted once.
  var tensorBytes: Int { Tensor.bytes(of: values) + Tensor.bytes(of: gradients) }

  /// The stages as lines: name, shapes, and what each applies.
  var lines: [String] {
    forwardOrder.map { number in
      let node = nodes[number]
      let (input, output) = (values[node.input].shape, values[node.output].shape)
      let shapes =
        switch node.operation {
        case .fork: input.written
        case .sum: output.written
        case .layer, .normActivation, .copy: "\(input.written) → \(output.written)"
        }
      return (["\(title(of: node)): \(shapes)"] + applied(node)).joined(separator: "; ")
    }
  }

  /// A stage's name in reports: its layer's, or what it does.
  func name(of node: PlanNode) -> String {
    switch node.operation {
    case .layer(let layer): layer.planned?.stageName ?? layer.defaultStageName
    case .normActivation:
      node.reading.norm.map { norms[$0].name } ?? node.reading.activation?.name ?? "copy"
    case .copy: node.outputNorm.map { norms[$0].name } ?? "copy"
    case .fork(let block), .sum(let block): blocks[block].name
    }
  }

  /// The same, with a block's beginning and its end told apart.
  private func title(of node: PlanNode) -> String {
    guard case .fork = node.operation else { return name(of: node) }
    return "\(name(of: node)) entry"
  }

  /// The work of other layers that a node applies, by name.
  private func applied(_ node: PlanNode) -> [String] {
    switch node.operation {
    case .fork(let number):
      let block = blocks[number]
      return words(block.shared) + (block.passesBy ? ["the shortcut passes by"] : [])
    case .sum(let number):
      let block = blocks[number]
      return [
        block.isWritten ? "written by the main branch" : nil,
        block.mainNorm.map { "main by \(norms[$0].name)" },
        block.shortcutNorm.map { "shortcut by \(norms[$0].name)" }, block.activation?.words,
      ].compactMap(\.self) + words(node)
    case .layer, .normActivation, .copy:
      let epilogue = node.epilogue
      return words(node.reading)
        + [
          epilogue.activation?.words,
          epilogue.dropout > 0
            ? "dropout \(epilogue.dropout), key \(epilogue.dropoutLayer)" : nil,
          node.addend == nil ? nil : "writes the sum",
        ].compactMap(\.self) + words(node)
        + [
          node.addsGradientOf == nil ? nil : "adds the shortcut's gradient",
          node.leavesReading ? "leaves what it reads to the main branch" : nil,
        ].compactMap(\.self)
    }
  }

  private func words(_ reading: PlanNode.Reading) -> [String] {
    let parts = [reading.norm.map { norms[$0].name }, reading.activation?.words]
      .compactMap(\.self)
    return parts.isEmpty ? [] : ["reads through \(parts.joined(separator: ", "))"]
  }

  private func words(_ node: PlanNode) -> [String] {
    guard let norm = node.outputNorm else { return [] }
    return ["sums \(norms[norm].name)" + (node.takesNormGradient ? ", takes its gradient" : "")]
  }
}

extension Activation {
  /// The name, and the slope if it has one.
  var words: String {
    guard case .leakyReLU(let slope) = self else { return name }
    return "\(name) \(slope)"
  }
}

extension Model {
  /// The stages that run, in the order of a forward pass, as lines: name, shapes, and what each
  /// applies besides its own operation.
  package var stageLines: [String] { plan.lines }
  /// The same, with bytes.
  package var stageDescriptions: [StageDescription] { plan.descriptions }
  /// Bytes of outputs and of gradients of activations for a full batch: less than the sum of the
  /// stages' where they share memory.
  package var tensorBytes: Int { plan.tensorBytes }
}
