/// y = W x + b with only the connections that exist stored and multiplied.
final class SparseProduct: Stage {
  let weights: LayerWeights?
  let connections: SparseWeights
  private let bias: Parameter?
  let inputs: Int
  private let outputs: Int
  private let epilogue: Epilogue
  let input: Tensor
  private let output: Tensor
  let outputGradient: Tensor
  private let inputGradient: Tensor?
  private let gradientParts: GradientParts

  init(_ layer: SparseLinear, _ site: StageSite) throws(RigLError) {
    (inputs, outputs, epilogue) = (layer.inputs, layer.outputs, site.epilogue)
    connections = try SparseWeights(
      name: layer.name, outputs: outputs, inputs: inputs, connections: site.connections ?? 0,
      lanes: site.lanes)
    bias = layer.makeBias()
    weights = LayerWeights(
      layer, input: site.input.shape, weight: connections.parameter, bias: bias,
      connections: connections)
    (input, output) = (site.input, site.output)
    (outputGradient, inputGradient) = (site.outputGradient, site.inputGradient)
    gradientParts = GradientParts(
      weight: connections.parameter, bias: bias, storage: site.parts)
    let largest = GroupBands(
      groups: site.capacity.dividedUp(by: site.lanes), lanes: site.lanes,
      channels: inputs + outputs, connections: connections.count)
    if site.isTraining && largest.areShared { gradientParts.reserve() }
  }

  func weightsDidChange() { connections.weightsDidChange() }

  var gradientSource: (any GradientSource)? { self }

  var timing: StageTiming { StageTiming(.forwardKernel, .backwardKernel) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    counts.product(
      inputs: inputs, outputs: outputs, weights: connections.count, connections: connections,
      makesInputGradient: inputGradient != nil, isMasked: epilogue.relu)
  }

  /// y = epilogue(W x + b), a band of groups at a time.
  func forward(_ pass: Pass) {
    output.samples = input.samples
    connections.refreshForwardWeights(pass.pool)
    let bands = GroupBands(
      of: input, channels: inputs + outputs, connections: connections.count)
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
    if !isStreamed && connections.count < 16 * outputs { output.warm(groups, channels: rows) }
    unsafe list.forward(
      slabs: slabs, groups: groups, weights: connections.forwardBase, input: input, output: output,
      epilogue: isOnTheWay ? .init(bias: bias, relu: epilogue.relu) : nil)
    guard !isOnTheWay, bias != nil || !epilogue.isIdentity(pass) else { return }
    for group in groups {
      output.applyEpilogue(
        group: group, channels: rows, bias: bias, epilogue: epilogue, pass: pass)
    }
  }

  /// dX and dW in one walk over the connections; dW at connections only.
  func backward(_ pass: Pass) {
    inputGradient?.samples = input.samples
    let bands = GroupBands(
      of: input, channels: inputs + outputs, connections: connections.count)
    let work = BackwardWork(layer: self, bands: bands, pass: pass)
    if bands.areShared { backwardByBands(work) } else { backwardBySlabs(work) }
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
        groups: work.bands[band], output: output, bias: bias, epilogue: epilogue, pass: work.pass)
      work.pass.pool.run(chunks: connections.backward.slabs, with: (work, band)) {
        operands, slab, worker in
        let (work, band) = operands
        let (layer, groups) = (work.layer, work.bands[band])
        if work.pass.warmBands.isFirst(band, of: worker) { layer.outputGradient.warm(groups) }
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
    work.pass.pool.run(chunks: work.bands.parts, with: work) { work, part, _ in
      let (layer, pass) = (work.layer, work.pass)
      let (gradient, biasGradient) = unsafe layer.gradientParts.bases(part)
      let accumulates = part == 0 && pass.accumulatesGradients
      if !accumulates { unsafe biasGradient?.update(repeating: 0, count: layer.outputs) }
      let bands = work.bands.part(part)
      for band in bands {
        let groups = work.bands[band]
        if layer.outputGradient.needsEpilogueBackward(
          groups: groups, bias: layer.bias, epilogue: layer.epilogue, pass)
        {
          for group in groups {
            unsafe layer.outputGradient.applyEpilogueBackward(
              group: group, channels: 0..<layer.outputs, output: layer.output,
              biasGradient: biasGradient, epilogue: layer.epilogue, pass: pass)
          }
        } else {
          layer.outputGradient.warm(groups)
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
    let rows = connections.backward.rows(of: slabs)
    input.warm(groups, channels: rows)
    inputGradient?.warm(groups, channels: rows)
    unsafe connections.backward.backward(
      slabs: slabs, groups: groups, weights: connections.parameter.values.base,
      outputGradient: outputGradient, input: input, inputGradient: inputGradient,
      weightGradient: gradient, accumulate: accumulate)
  }
}
