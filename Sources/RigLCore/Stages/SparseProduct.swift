/// y = epilogue(W x + b) with only the connections that exist stored and multiplied: the stage of a
/// ``SparseLinear``, and what an own sparse layer multiplies with.
///
/// An own layer's ``Layer/makeStage(_:)`` returns one, with a ``Layout`` of its own, or a stage that
/// works with one between tensors of its own. The product has the weights and the bias, applies an
/// activation and dropout, shares out the work among threads, says what it costs, and has the
/// ``GradientSource`` that connections grow by.
public final class SparseProduct: PlacedStage {
  let site: StageSite
  /// The weights and the bias.
  public let weights: LayerWeights?
  /// The connections.
  package let connections: SparseWeights
  let layout: Layout
  private let bias: Parameter?
  /// The bias of each value of the output; the layer's own where an output channel is one value.
  private let valueBias: Parameter?
  /// Input channels; values, of vectors.
  let inputs: Int
  private let outputs: Int
  /// The gradient of the output with zeros around each channel; the same where there is one tap, 0.
  let paddedGradient: Tensor
  private let gradientParts: GradientParts

  /// A product at a place in a network, for a layer with (outputs, inputs, …) weights, where an
  /// output's inputs are channels times taps.
  ///
  /// - Throws: `RigLError(.configuration)` for more connections, or values, than 32 bits can count.
  public convenience init(
    _ layer: any WeightLayer, _ site: StageSite, _ layout: Layout = .linear
  ) throws(RigLError) {
    layout.check(layer, site)
    // There is no dense product in this layout for connections whose number changes.
    let connections = try SparseWeights(
      name: layer.name, shape: layer.shape, connections: site.connections ?? 0,
      forward: layout.forward(lanes: site.lanes), backward: layout.backward(lanes: site.lanes),
      windows: layout.windows,
      variation: site.isVariable ? SparseWeights.Variation(denseFrom: .infinity) : nil)
    let weights = LayerWeights(
      layer, input: site.layerInput, weight: connections.parameter, bias: layer.makeBias(),
      connections: connections)
    self.init(weights, connections, site, layout)
  }

  /// A product of connections that perhaps are not always stored sparse.
  init(
    _ weights: LayerWeights, _ connections: SparseWeights, _ site: StageSite,
    _ layout: Layout = .linear
  ) {
    self.layout = layout
    (self.site, outputs) = (site, weights.outputs)
    inputs = layout.channels(of: weights.layer)
    (self.weights, self.connections, bias) = (weights, connections, weights.bias)
    let values = outputs * layout.outputWidth
    valueBias =
      layout.outputWidth == 1
      ? bias
      : bias.map { Parameter(name: $0.name, shape: [values], count: values, decays: false) }
    paddedGradient =
      layout.gradientWidth == layout.outputWidth
      ? site.outputGradient
      : Tensor(
        shape: SampleShape(channels: outputs * layout.gradientWidth),
        capacity: site.isTraining ? site.capacity : 0, lanes: site.lanes)
    gradientParts = GradientParts(
      weight: connections.parameter, bias: valueBias, memory: site.parts)
    reserveParts()
  }

  /// Makes room for parts of the gradient where the largest batch needs them; said again when there are
  /// more connections, or so few that bands are shared out.
  private func reserveParts() {
    guard isTraining, connections.storage == .sparse else { return gradientParts.isNeeded = false }
    let largest = GroupBands(
      groups: input.capacity.dividedUp(by: input.lanes), lanes: input.lanes,
      channels: input.shape.count + outputs * layout.outputWidth, connections: connections.count)
    gradientParts.isNeeded = largest.areShared
  }

  /// Has the weights brought into the forward product's order before the next one.
  public func weightsDidChange() {
    connections.weightsDidChange()
    if connections.variation != nil { reserveParts() }
  }

  /// The dense gradient of the product.
  public var gradientSource: (any GradientSource)? { ProductGradient(product: self) }

  /// The products; padding and joining are told apart on the way.
  public var timing: StageTiming { StageTiming(.forwardKernel, .backwardKernel) }

  /// What the products and growth do.
  public func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    counts.product(
      inputs: input.shape.count, outputs: output.shape.count, weights: connections.count,
      connections: connections, places: layout.outputWidth,
      gradientCopy: isPadded ? paddedGradient.shape.count : 0,
      makesInputGradient: inputGradient != nil, readsOutput: epilogue.activation != nil)
  }

  private func bands() -> GroupBands {
    GroupBands(
      of: input, channels: input.shape.count + output.shape.count, connections: connections.count)
  }

  /// y = epilogue(W x + b), a band of groups at a time.
  public func forward(_ pass: Pass) {
    output.samples = input.samples
    connections.refreshForwardWeights(pass.pool)
    let bands = bands()
    if let bias { spread(bias) }
    // A thread's share is a band if there are enough of them, else some of a band's outputs.
    let slabs = bands.areShared ? connections.forward.slabs : 1
    let cuts = connections.forward.slabs / slabs
    pass.warmBands.reset()
    let operands = (self, bands, slabs, cuts, pass)
    pass.pool.run(chunks: bands.count * cuts, with: operands) { operands, chunk, worker in
      let (layer, bands, slabs, cuts, pass) = operands
      let (band, first) = (chunk / cuts, chunk % cuts * slabs)
      if pass.warmBands.isFirst(band, of: worker) { layer.input.warm(bands[band]) }
      layer.forward(slabs: first..<first + slabs, groups: bands[band], pass)
    }
  }

  private func forward(slabs: Range<Int>, groups: Range<Int>, _ pass: Pass) {
    let list = connections.forward
    let rows = list.rows(of: slabs)
    let isOnTheWay = list.appliesEpilogues && !epilogue.drops(pass)
    // With a few connections an output, most of the time goes into bringing in what is written.
    let isStreamed = isOnTheWay && output.outgrowsCaches
    let values = rows.scaled(by: layout.outputWidth)
    if !isStreamed && connections.count < 16 * outputs { output.warm(groups, channels: values) }
    unsafe list.forward(
      slabs: slabs, groups: groups, places: layout.outputWidth, weights: connections.forwardBase,
      input: input, output: output,
      epilogue: isOnTheWay
        ? .init(
          bias: bias, activation: epilogue.activation,
          kept: pass.isTraining ? epilogue.kept : nil) : nil)
    guard !isOnTheWay, bias != nil || !epilogue.isIdentity(pass) else { return }
    for group in groups {
      output.applyEpilogue(
        group: group, channels: values, bias: valueBias, epilogue: epilogue, pass: pass)
    }
  }

  /// dX and dW in one walk over the connections; dW at connections only.
  public func backward(_ pass: Pass) {
    inputGradient?.samples = input.samples
    let work = BackwardWork(layer: self, bands: bands(), pass: pass)
    // What was summed before is in the layer's own bias.
    if layout.outputWidth > 1 { valueBias?.gradient.fill(0) }
    if work.bands.areShared { backwardByBands(work) } else { backwardBySlabs(work) }
    if let bias { sumGradient(of: bias, pass) }
  }

  private struct BackwardWork {
    let layer: SparseProduct
    let bands: GroupBands
    let pass: Pass
  }

  /// Few groups: a thread's share is a slab of connections, which it alone adds to.
  private func backwardBySlabs(_ work: BackwardWork) {
    work.pass.warmBands.reset()
    // Bands in order, so that each slab's owner sums dW in a fixed order.
    for band in 0..<work.bands.count {
      outputGradient.applyEpilogueBackward(
        groups: work.bands[band], output: output, bias: valueBias, epilogue: epilogue,
        pass: work.pass)
      if isPadded { padGradient(work.bands[band], work.pass) }
      work.pass.pool.run(chunks: connections.backward.slabs, with: (work, band)) {
        operands, slab, worker in
        let (work, band) = operands
        let (layer, groups) = (work.layer, work.bands[band])
        if work.pass.warmBands.isFirst(band, of: worker) { layer.paddedGradient.warm(groups) }
        unsafe layer.backward(
          slabs: slab..<slab + 1, groups: groups, work,
          gradient: layer.connections.parameter.gradient.base,
          accumulate: work.pass.accumulatesGradients || band > 0)
      }
    }
  }

  /// Many groups: a thread's share is some bands, with sums of dW of its own that are added up, in
  /// order, at the end.
  private func backwardByBands(_ work: BackwardWork) {
    work.pass.pool.run(chunks: work.bands.parts, with: work) { work, part, worker in
      let (layer, pass) = (work.layer, work.pass)
      let (gradient, biasGradient) = unsafe layer.gradientParts.bases(part)
      let accumulates = part == 0 && pass.accumulatesGradients
      let values = layer.output.shape.count
      if !accumulates { unsafe biasGradient?.update(repeating: 0, count: values) }
      let bands = work.bands.part(part)
      for band in bands {
        let groups = work.bands[band]
        if layer.outputGradient.needsEpilogueBackward(
          groups: groups, bias: layer.valueBias, epilogue: layer.epilogue, pass)
        {
          for group in groups {
            unsafe layer.outputGradient.applyEpilogueBackward(
              group: group, channels: 0..<values, output: layer.output,
              biasGradient: biasGradient, epilogue: layer.epilogue, pass: pass)
          }
        } else {
          layer.outputGradient.warm(groups)
        }
        if layer.isPadded {
          pass.pool.clock?.enter(.backwardPack, worker)
          for group in groups { layer.padGradient(ofGroup: group) }
          pass.pool.clock?.enter(.backwardKernel, worker)
        }
        unsafe layer.backward(
          slabs: 0..<layer.connections.backward.slabs, groups: groups, work, gradient: gradient,
          accumulate: accumulates || band > bands.lowerBound)
      }
    }
    gradientParts.join(work.bands.parts, pool: work.pass.pool)
  }

  private func backward(
    slabs: Range<Int>, groups: Range<Int>, _ work: BackwardWork,
    gradient: UnsafeMutablePointer<Float>, accumulate: Bool
  ) {
    let rows = connections.backward.rows(of: slabs).scaled(by: layout.inputWidth)
    input.warm(groups, channels: rows)
    inputGradient?.warm(groups, channels: rows)
    unsafe connections.backward.backward(
      slabs: slabs, groups: groups, places: layout.inputWidth,
      origin: layout.zerosBefore * input.lanes, weights: connections.parameter.values.base,
      outputGradient: paddedGradient, input: input, inputGradient: inputGradient,
      weightGradient: gradient, accumulate: accumulate)
  }

  // MARK: - Channels of several values

  private var isPadded: Bool { paddedGradient !== outputGradient }

  /// Copies the gradient of the output for some groups, with zeros around each channel: the backward
  /// product reads at every place of the input, where an output may not reach.
  private func padGradient(_ groups: Range<Int>, _ pass: Pass) {
    pass.measure(.backwardPack) {
      pass.pool.run(chunks: groups.count, with: (self, groups.lowerBound)) { work, index, _ in
        work.0.padGradient(ofGroup: work.1 + index)
      }
    }
  }

  private func padGradient(ofGroup group: Int) {
    let (from, to) = (outputGradient, paddedGradient)
    let source = unsafe from.base + group * from.groupStride
    let target = unsafe to.base + group * to.groupStride + layout.zerosBefore * to.lanes
    for channel in 0..<outputs {
      unsafe (target + channel * layout.gradientWidth * to.lanes).update(
        from: source + channel * layout.outputWidth * from.lanes,
        count: layout.outputWidth * from.lanes)
    }
  }

  /// Gives each value of the output its channel's bias.
  private func spread(_ bias: Parameter) {
    guard let valueBias, layout.outputWidth > 1 else { return }
    let (source, target) = unsafe (bias.values.base, valueBias.values.base)
    for channel in 0..<outputs {
      unsafe (target + channel * layout.outputWidth).update(
        repeating: source[channel], count: layout.outputWidth)
    }
  }

  /// Sums the gradient of each channel's bias over its values.
  private func sumGradient(of bias: Parameter, _ pass: Pass) {
    guard let valueBias, layout.outputWidth > 1 else { return }
    let (source, target) = unsafe (valueBias.gradient.base, bias.gradient.base)
    for channel in 0..<outputs {
      var sum = unsafe pass.accumulatesGradients ? Double(target[channel]) : 0
      for place in 0..<layout.outputWidth {
        unsafe sum += Double(source[channel * layout.outputWidth + place])
      }
      unsafe target[channel] = Float(sum)
    }
  }
}

extension Range<Int> {
  /// The values of a range of channels with so many values each.
  fileprivate func scaled(by width: Int) -> Range<Int> { lowerBound * width..<upperBound * width }
}
