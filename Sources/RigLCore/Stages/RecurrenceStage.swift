/// What runs of a ``Recurrence``: a step after the other, and back.
///
/// A step forward is one job: a chunk multiplies the state before with its rows of the recurrent weights,
/// and applies their gates. So is a step back: a chunk multiplies the gates' gradient of the step after
/// with its columns, and goes on with the gates of the step. The gates take the place of the input.
final class RecurrenceStage: PlacedStage, RecurrentStage, PanelStage {
  let site: StageSite
  let weights: LayerWeights?
  let state: RecurrentState?
  private let cell: RecurrentCell
  /// Units (H).
  private let hidden: Int
  /// Groups of a step, at most.
  private let stepGroups: Int
  private let product: RecurrentProduct
  /// The state before and after each step; of an LSTM the cell, too.
  private let states: SteppedTensor
  private let cells: SteppedTensor?
  /// What comes of the state: of all steps where the way back needs it, else of one.
  private let recurrent: Tensor
  /// The gradient of the state by the recurrent product, of one step, and what passes by it.
  private let productGradient: Tensor
  private let carriedGradient: Tensor

  init(_ layer: Recurrence, _ site: StageSite) throws(RigLError) {
    (self.site, cell, hidden) = (site, layer.cell, layer.hidden)
    let lanes = site.lanes
    stepGroups = (site.streams ?? site.capacity).dividedUp(by: lanes)
    let step = stepGroups * lanes
    func tensor(_ features: Int, _ capacity: Int) -> Tensor {
      Tensor(shape: SampleShape(channels: features), capacity: capacity, lanes: lanes)
    }
    func stepped() -> SteppedTensor {
      SteppedTensor(
        features: layer.hidden, capacity: site.capacity, lanes: lanes, groups: step / lanes)
    }
    states = stepped()
    cells = layer.cell == .lstm ? stepped() : nil
    // A GRU's gradient of what comes of the state is not that of what comes of the input.
    let isKept = site.isTraining && layer.cell == .gru
    recurrent = tensor(layer.outputs, isKept ? site.capacity : step)
    productGradient = tensor(layer.hidden, site.isTraining ? step : 0)
    carriedGradient = tensor(layer.hidden, site.isTraining ? step : 0)
    state = site.streams.map { _ in
      RecurrentState(name: layer.name, count: layer.cell.parts * step * layer.hidden)
    }
    var place = site
    place.input = states.before
    if site.isTraining {
      place.outputGradient = isKept ? recurrent : site.inputGradient ?? recurrent
    }
    place.output = place.outputGradient
    place.inputGradient = nil
    product = try RecurrentProduct(layer, place)
    weights = product.weights
    // Whoever reads the output reads the states.
    site.output.show(states.after)
  }

  var panelBytes: Int { product.panelBytes }
  var gradientSource: (any GradientSource)? { product.gradientSource }
  var timing: StageTiming { StageTiming(.forwardKernel, .backwardKernel) }
  func work(_ counts: StepCounts) -> [StepStage: StageWork] { product.work(counts) }
  func weightsDidChange() { product.weightsDidChange() }

  /// Steps of the batch at hand; without streams one.
  private var steps: Int { site.streams == nil ? 1 : input.groups / stepGroups }

  /// The groups of a step.
  private func groups(of step: Int) -> Range<Int> {
    step * stepGroups..<min((step + 1) * stepGroups, input.groups)
  }

  /// Where a step's groups begin in ``recurrent``.
  private func recurrentGroup(_ step: Int) -> Int {
    recurrent.capacity == input.capacity ? step * stepGroups : 0
  }

  // MARK: - Forward

  func forward(_ pass: Pass) {
    output.samples = input.samples
    recurrent.samples = min(input.samples, recurrent.capacity)
    states.begin(samples: input.samples, state, part: 0)
    cells?.begin(samples: input.samples, state, part: 1)
    product.begin(pass)
    for step in 0..<steps {
      pass.pool.run(chunks: product.forwardChunks, with: (self, step)) { work, chunk, _ in
        work.0.forward(step: work.1, chunk: chunk)
      }
    }
    states.end(steps: steps, state, part: 0)
    cells?.end(steps: steps, state, part: 1)
  }

  private func forward(step: Int, chunk: Int) {
    let (groups, first) = (groups(of: step), recurrentGroup(step))
    product.multiply(chunk: chunk, states.before, groups: groups, into: recurrent, first: first)
    let features = product.features(ofForward: chunk)
    for group in groups {
      let part = unsafe part(features, group, recurrent: first + group - groups.lowerBound)
      let next = unsafe states.after.group(group)
      if let cells {
        unsafe part.lstmForward(
          bias: weights?.bias, cell: cells.before.group(group), nextCell: cells.after.group(group),
          next: next)
      } else {
        unsafe part.gruForward(
          bias: weights?.bias, state: states.before.group(group), next: next)
      }
    }
  }

  private func part(_ features: Range<Int>, _ group: Int, recurrent number: Int) -> CellPart {
    unsafe CellPart(
      features: hidden, range: features, lanes: input.lanes, gates: input.group(group),
      recurrent: recurrent.group(number))
  }

  // MARK: - Back

  func backward(_ pass: Pass) {
    inputGradient?.samples = input.samples
    for step in stride(from: steps - 1, through: 0, by: -1) {
      pass.pool.run(chunks: product.backwardChunks, with: (self, step)) { work, chunk, _ in
        work.0.backward(step: work.1, chunk: chunk)
      }
    }
    product.sumGradient(pass)
  }

  private func backward(step: Int, chunk: Int) {
    guard let inputGradient else { return }
    let isLast = step == steps - 1
    if !isLast {
      product.multiplyBack(
        chunk: chunk, cell == .gru ? recurrent : inputGradient, groups: groups(of: step + 1),
        into: productGradient)
    }
    let (groups, features) = (groups(of: step), product.features(ofBackward: chunk))
    for group in groups {
      let place = group - groups.lowerBound
      let part = unsafe part(features, group, recurrent: cell == .gru ? group : 0)
      let gradient = unsafe CellGradient(
        output: outputGradient.group(group),
        product: isLast ? nil : UnsafePointer(productGradient.group(place)),
        carried: carriedGradient.group(place), gates: inputGradient.group(group))
      if let cells {
        unsafe part.lstmBackward(
          cell: cells.before.group(group), nextCell: cells.after.group(group), gradient)
      } else {
        unsafe part.gruBackward(state: states.before.group(group), gradient)
      }
    }
  }
}

extension Tensor {
  /// Where a group begins in memory.
  fileprivate func group(_ group: Int) -> UnsafeMutablePointer<Float> {
    unsafe base + group * groupStride
  }
}
