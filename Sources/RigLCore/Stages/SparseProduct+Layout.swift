// Where the operands of a sparse product lie in its tensors.

extension SparseProduct {
  /// Where the operands of a product lie in the values of a sample.
  ///
  /// A channel of the input is `inputWidth` values one after the other, one of the output
  /// `outputWidth`, and the weights are applied at each of these places p:
  ///
  ///     y[output, p] = Σ over channels and taps of w[output, channel, tap] · x[channel, p + taps[tap]]
  ///
  /// So a linear layer has widths of 1 and one tap, 0. A convolution in one dimension has a tap for
  /// each element of its kernel (0, 1, 2, …; 0, 2, 4, … if it is dilated), and a linear layer that is
  /// applied at every place of a sequence the one tap 0. An input that must have zeros around it is
  /// brought into a tensor of the own stage's first.
  ///
  /// Where outputs share no weights but see different parts of the input, as in a locally connected
  /// layer, each has a window of its own: ``init(values:starts:taps:)``.
  public struct Layout: Sendable {
    /// Values of an input channel.
    package let inputWidth: Int
    /// Values of an output channel: places where the weights are applied.
    package let outputWidth: Int
    /// How far ahead of its place each weight of an input channel reads.
    package let taps: [Int]
    /// The farthest tap: zeros that the backward product reads before an output channel's gradient.
    let zerosBefore: Int
    let windows: InputWindows?

    /// A layout; every place must have its operands within the input channel.
    public init(inputWidth: Int, outputWidth: Int, taps: [Int] = [0]) {
      trap(
        unless: outputWidth > 0 && !taps.isEmpty && taps.allSatisfy { $0 >= 0 }
          && outputWidth + (taps.max() ?? 0) <= inputWidth,
        "SparseProduct: taps \(taps) at \(outputWidth) places do not lie within \(inputWidth) values"
      )
      (self.inputWidth, self.outputWidth, self.taps) = (inputWidth, outputWidth, taps)
      zerosBefore = taps.max() ?? 0
      windows = nil
    }

    /// Windows of vectors: input i of output o is the value `starts[o] + taps[i]` of a sample.
    ///
    /// - Parameters:
    ///   - values: of the input.
    ///   - starts: one for each output.
    ///   - taps: one for each input of an output, strictly increasing.
    public init(values: Int, starts: [Int], taps: [Int]) {
      windows = InputWindows(values: values, starts: starts, taps: taps)
      (inputWidth, outputWidth, self.taps, zerosBefore) = (1, 1, [0], 0)
    }

    /// Vectors: a linear layer's.
    public static let linear = Layout(inputWidth: 1, outputWidth: 1)

    /// Whether operands are vectors, each weight with one operand a sample.
    var isLinear: Bool { inputWidth == 1 && taps.count == 1 }

    /// Input channels of a layer.
    func channels(of layer: any WeightLayer) -> Int {
      windows?.values ?? layer.inputs / taps.count
    }
    /// Values from one output channel's gradient to the next for the backward product, which works at
    /// the places of the input.
    var gradientWidth: Int { zerosBefore + inputWidth }

    func forward(lanes: Int) -> ConnectionList.Layout { list(lanes, rows: outputWidth, inputWidth) }

    func backward(lanes: Int) -> ConnectionList.Layout {
      list(lanes, rows: inputWidth, gradientWidth)
    }

    private func list(_ lanes: Int, rows: Int, _ columns: Int) -> ConnectionList.Layout {
      ConnectionList.Layout(
        rowStride: rows * lanes, columnStride: columns * lanes,
        tapOffsets: taps.map { Int32($0 * lanes) }, tapPhases: taps.map { _ in 0 })
    }

    /// Ends the program where a layer and its tensors are not of this layout.
    func check(_ layer: any WeightLayer, _ site: StageSite) {
      let name = layer.name
      trap(
        unless: layer.shape.first == layer.outputs
          && layer.shape.reduce(1, *) == layer.outputs * layer.inputs,
        "layer \(name): a weight of shape \(layer.shape), but \(layer.outputs) outputs of "
          + "\(layer.inputs) inputs each")
      trap(
        unless: layer.inputs % taps.count == 0,
        "layer \(name): \(layer.inputs) inputs of an output, no multiple of \(taps.count) taps")
      trap(
        unless: windows.map { $0.starts.count == layer.outputs && $0.taps.count == layer.inputs }
          ?? true,
        "layer \(name): windows for \(windows?.starts.count ?? 0) outputs of "
          + "\(windows?.taps.count ?? 0) inputs, but it has \(layer.outputs) of \(layer.inputs)")
      let channels = channels(of: layer)
      requireTensor("input", site.input, channels, inputWidth, of: name)
      requireTensor("output", site.output, layer.outputs, outputWidth, of: name)
      trap(
        unless: site.input.lanes == site.output.lanes
          && site.input.capacity == site.output.capacity,
        "layer \(name): input and output are not for the same batches")
      if let gradient = site.inputGradient {
        requireTensor("input's gradient", gradient, channels, inputWidth, of: name)
      }
    }

    private func requireTensor(
      _ what: String, _ tensor: Tensor, _ channels: Int, _ width: Int, of name: String
    ) {
      trap(
        unless: tensor.shape.count == channels * width,
        "layer \(name): the \(what) has \(tensor.shape.count) values, expected \(channels) channels "
          + "of \(width)")
      // Else rows of all channels lie side by side, and a channel is not in one piece.
      trap(
        unless: isLinear || tensor.shape.height == 1 || tensor.shape.channels == 1,
        "layer \(name): the \(what) is of planes, \(tensor.shape.written); a SparseProduct takes rows"
      )
    }
  }
}
