/// Counts what stages have to do in a step, from shapes.
public struct StepCounts {
  private let samples: Int
  /// Samples with the dead lanes of the last group, which are moved like the others.
  private let padded: Int
  private let lanes: Int

  init(samples: Int, lanes: Int) {
    self.samples = samples
    self.lanes = lanes
    padded = samples.dividedUp(by: lanes) * lanes
  }

  /// Bytes of a tensor of a batch, dead lanes of the last group included.
  public func bytes(of shape: SampleShape) -> Double { Double(4 * padded * shape.count) }

  // MARK: - Convolutions

  /// - Parameters:
  ///   - makesInputGradient: not for a network's first layer.
  ///   - addsShortcut: whether the output is written together with a residual block's shortcut.
  ///   - addsGradient: whether the input's gradient is, with the shortcut's.
  func work(
    of convolution: PlaneConvolution, makesInputGradient: Bool, addsShortcut: Bool,
    addsGradient: Bool
  ) -> [StepStage: StageWork] {
    let (geometry, kernel) = (convolution.geometry, convolution.kernel)
    let (input, output) = (bytes(of: geometry.input), bytes(of: geometry.output))
    let read = input * geometry.shareOfRowsRead
    let folded = convolution.takesNormGradient ? output : 0
    let count = Double(kernel.weight.count)
    let positions = Double(samples * geometry.output.height * geometry.output.width)
    // A multiply-add for each weight and output pixel; the borders' zeros count, too.
    let flops = 2 * count * positions
    let sparse = kernel.connections
    // A weight, and a connection's offset.
    let list = count * (sparse == nil ? 4 : 8)
    let groups = padded / lanes
    let gradientParts = Double(Bands(groups: groups, bands: geometry.backwardBands).parts)

    var work = LayerWork()
    work[.forwardPack] = StageWork(near: read)
    work[.forwardKernel] = StageWork(flops: flops, far: list)
    work[.forwardUnpack] = StageWork(near: output, far: addsShortcut ? output : 0)
    // The gradient of the output with batch-norm's gradient of its raw values, and the activations.
    work[.backwardPack] = StageWork(near: output, far: folded + read)
    work[.backwardKernel] = StageWork(
      flops: makesInputGradient ? 2 * flops : flops, near: 4 * count * gradientParts, far: list)
    if makesInputGradient {
      work[.backwardUnpack] = StageWork(near: input, far: addsGradient ? input : 0)
    }
    // All parts are read and one is written; a bias is summed from the output's gradient.
    let sums = gradientParts > 1 ? 4 * count * (gradientParts + 1) : 0
    let biasRead = convolution.bias == nil ? 0 : output
    if sums + biasRead > 0 { work[.gradientJoin] = StageWork(near: sums + biasRead) }
    if let sparse {
      // Value, source and copy.
      work[.forwardWeights] = StageWork(far: 12 * count)
      work[.growth] = StageWork(
        flops: 2 * Double(sparse.positions) * positions, near: output, far: folded + read)
    }
    return work.stages
  }

  // MARK: - Products

  /// The work of products.
  ///
  /// - Parameters:
  ///   - inputs: values of the input; `outputs`: of the output.
  ///   - places: how often a sample meets each weight.
  ///   - gradientCopy: values of the output's gradient with zeros around, where it is copied.
  func product(
    inputs: Int, outputs: Int, weights: Int, connections: SparseWeights?, places: Int = 1,
    gradientCopy: Int = 0, makesInputGradient: Bool, readsOutput: Bool
  ) -> [StepStage: StageWork] {
    let x = Double(4 * padded * inputs)
    let y = Double(4 * padded * outputs)
    let count = Double(weights)
    let uses = Double(samples * places)
    let flops = 2 * count * uses
    let list = count * (connections == nil ? 4 : 8)
    // An activation's gradient looks at the output, or at what was kept in its place.
    let read = readsOutput ? y : 0
    var work = LayerWork()
    work[.forwardKernel] = StageWork(flops: flops, near: x + y, far: list)
    work[.backwardKernel] = StageWork(
      flops: makesInputGradient ? 2 * flops : flops,
      near: y + (makesInputGradient ? x : 0) + 4 * count, far: x + read + list)
    if gradientCopy > 0 {
      work[.backwardPack] = StageWork(near: y + Double(4 * padded * gradientCopy))
    }
    guard let sparse = connections else { return work.stages }
    let bands = GroupBands(
      groups: padded / lanes, lanes: lanes, channels: inputs + outputs, connections: sparse.count)
    if bands.areShared {
      work[.gradientJoin] = StageWork(near: 4 * count * Double(bands.parts + 1))
    }
    work[.forwardWeights] = StageWork(far: 12 * count)
    work[.growth] = StageWork(
      flops: 2 * Double(sparse.positions) * uses, near: y, far: x)
    return work.stages
  }

  // MARK: - Passes of their own

  /// The work of both passes of a stage that comes to one kind of work.
  func both(_ forward: StageWork, _ backward: StageWork) -> StageWork {
    var both = forward
    both.add(backward)
    return both
  }
}

/// The work of a layer with weights, while it is put together.
private struct LayerWork {
  private var own: [StepStage: StageWork] = [:]

  subscript(stage: StepStage) -> StageWork? {
    get { own[stage] }
    set { own[stage] = newValue }
  }

  /// The work, with what passes through the caches in each direction.
  var stages: [StepStage: StageWork] {
    var stages = own
    for pass in [
      [StepStage.forwardPack, .forwardKernel, .forwardUnpack],
      [.backwardPack, .backwardKernel, .backwardUnpack, .gradientJoin, .growth],
    ] {
      let set = pass.reduce(0) { $0 + ($1 == .growth ? 0 : own[$1]?.bytes ?? 0) }
      for stage in pass { stages[stage]?.nearSet = set }
    }
    return stages
  }
}

extension BandGeometry {
  /// The share of the input's rows that packing reads: a kernel narrower than its stride passes over
  /// some.
  fileprivate var shareOfRowsRead: Double {
    let read = (0..<input.height).filter { ($0 + shape.padding) % shape.stride < phases }
    return Double(read.count) / Double(input.height)
  }
}
