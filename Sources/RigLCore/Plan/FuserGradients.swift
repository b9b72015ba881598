// The gradients of activations that a backward pass writes: which are the same, and who gets a copy.

extension Fuser {
  /// Numbers the gradients that a backward pass writes; 0 is that of the network's output.
  ///
  /// - Returns: how many there are, and the shape of each.
  mutating func numberGradients() -> [PlanValue] {
    var gradients = [values[run.output]]
    func make(like value: Int) -> Int {
      gradients.append(values[value])
      return gradients.count - 1
    }
    var ofValue: [Int: Int] = [run.output: 0]
    for place in run.backward {
      var node = nodes[place]
      switch node.operation {
      case .sum(let number):
        node.outputGradient = ofValue[node.output]
        let (block, gradient) = (blocks[number], node.outputGradient)
        (ofValue[block.main], ofValue[block.shortcut]) = (gradient, gradient)
        // A branch gets a copy if it would change what the other one has not read yet.
        if block.shortcutFirst == nil {
          blocks[number].gradientPast = gradient
          if let last = block.mainLast, !keepsGradient(nodes[last]) {
            blocks[number].mainGradient = make(like: block.main)
            ofValue[block.main] = blocks[number].mainGradient
          }
        } else if let last = block.shortcutLast, !keepsGradient(nodes[last]) {
          blocks[number].shortcutGradient = make(like: block.shortcut)
          ofValue[block.shortcut] = blocks[number].shortcutGradient
        }
      case .fork:
        node.inputGradient = ofValue[node.input]
      case .layer, .normActivation, .copy:
        node.outputGradient = ofValue[node.output]
        if node.input != 0 || node.reading.norm != nil {
          node.inputGradient =
            node.fusing.contains(.isInPlace) ? node.outputGradient : make(like: node.input)
          ofValue[node.input] = node.inputGradient
        }
      }
      nodes[place] = node
      if let block = blocks.firstIndex(where: { $0.shortcutFirst == place }) {
        blocks[block].gradientPast = node.inputGradient
      }
    }
    return gradients
  }

  /// Whether a stage's backward pass leaves the gradient of its output as it was.
  private func keepsGradient(_ node: PlanNode) -> Bool {
    guard case .sum(let number) = node.operation else {
      return node.fusing.contains(.keepsGradient)
    }
    let block = blocks[number]
    return !node.takesNormGradient && block.activation == nil && block.mainNorm == nil
      && block.shortcutNorm == nil
  }
}
