/// An optimizer at work: the parameters it changes and their slots.
public final class OptimizerState {
  /// The rule.
  package let optimizer: any Optimizer
  /// The parameters that the optimizer changes, in the order of the layers.
  package let parameters: [Parameter]
  /// The slots of each parameter.
  package let slots: [[Slot]]
  /// Weight steps taken.
  package var weightSteps = 0
  /// When the connections of each parameter began; empty where nobody asks.
  let ages: [ConnectionAges]
  /// The table of the optimizer's corrections by age, once there are ages.
  private var corrections: AdamCorrections?

  /// The pieces that are updated in parallel: of all values that there is memory for.
  private var pieces: [(parameter: Int, range: Range<Int>)] = []
  private var pieceSums = AlignedBuffer<Double>(count: 0)
  /// The capacities of the parameters when they were cut.
  private var capacities: [Int] = []

  /// Makes zeroed slots for the parameters.
  ///
  /// - Parameters:
  ///   - optimizer: the rule.
  ///   - parameters: what it changes.
  ///   - tracksAges: whether the ages of connections are kept for a rule, too, that does not ask for
  ///     them.
  public init(
    _ optimizer: any Optimizer, parameters: [Parameter], tracksAges: Bool = false
  ) {
    let problem = optimizer.slotProblem
    trap(unless: problem == nil, problem ?? "")
    self.optimizer = optimizer
    self.parameters = parameters
    slots = parameters.map { parameter in
      optimizer.slotNames.map { Slot(name: $0, count: parameter.count) }
    }
    ages =
      tracksAges || optimizer.usesAges ? parameters.map { ConnectionAges(count: $0.count) } : []
    makePieces()
  }

  /// Has slots and pieces follow parameters whose number of values has changed without them: their
  /// state begins anew.
  private func fit() {
    var isCutAnew = false
    for index in 0..<parameters.count {
      let parameter = parameters[index]
      if capacities[index] != parameter.capacity { isCutAnew = true }
      for number in 0..<slots[index].count
      where slots[index][number].buffer.count != parameter.count {
        slots[index][number].buffer.setSize(parameter.count, parameter.capacity)
        slots[index][number].buffer.fill(0)
      }
      if keepsAges, ages[index].fit(parameter, after: weightSteps) { prepareCorrections() }
    }
    if isCutAnew { makePieces() }
  }

  /// Cuts parameters anew that have memory for another number of values: in the update that changed it,
  /// and not in the weight step after it.
  func followCapacity() {
    for index in 0..<parameters.count where capacities[index] != parameters[index].capacity {
      return makePieces()
    }
  }

  /// Makes the optimizer's table by age, once there are ages.
  private func prepareCorrections() {
    for index in 0..<ages.count where ages[index].areKept { return makeCorrections() }
  }

  private func makeCorrections() {
    guard corrections == nil, let adam = optimizer as? Adam, adam.usesAges else { return }
    corrections = AdamCorrections(beta1: Float(adam.beta1), beta2: Float(adam.beta2))
  }

  /// Makes what ages need of memory, so that updates of these layers, which grow connections, do not.
  func reserveAges(of layers: [SparseWeights]) {
    guard keepsAges, !layers.isEmpty else { return }
    for layer in layers { ages(of: layer.parameter)?.reserve(layer.parameter) }
    makeCorrections()
  }

  /// Whether somebody asks for ages.
  var keepsAges: Bool { !ages.isEmpty }

  /// The ages of a parameter's connections; nil: nobody asks for them.
  func ages(of parameter: Parameter) -> ConnectionAges? {
    for index in 0..<ages.count where parameters[index] === parameter { return ages[index] }
    return nil
  }

  /// The ages of a layer's connections in the order of positions: weight steps in which each took
  /// part. Nil where nobody asks for them.
  package func ages(of weights: SparseWeights) -> [Int]? {
    guard let ages = ages(of: weights.parameter) else { return nil }
    var steps: [Int] = []
    steps.reserveCapacity(weights.count)
    weights.forEachConnection { _, _, place in steps.append(weightSteps - ages.birth(at: place)) }
    return steps
  }

  /// Takes the births of a parameter's connections, in storage order; nil: all were there from the
  /// start.
  package func setBirths(_ births: consuming AlignedBuffer<Int32>?, of parameter: Parameter) {
    ages(of: parameter)?.set(parameter, births)
    prepareCorrections()
  }

  /// Cuts the parameters into pieces.
  func makePieces() {
    capacities = parameters.map(\.capacity)
    let length = 1 << 15
    pieces = parameters.enumerated().flatMap { index, parameter in
      (0..<parameter.capacity.dividedUp(by: length)).map {
        (index, $0 * length..<min(($0 + 1) * length, parameter.capacity))
      }
    }
    pieceSums = AlignedBuffer(count: pieces.count)
  }

  /// A piece, as far as there are values now.
  private func piece(_ index: Int) -> (parameter: Int, range: Range<Int>) {
    let (parameter, range) = pieces[index]
    return (parameter, range.clamped(to: 0..<max(parameters[parameter].count, range.lowerBound)))
  }

  /// Changes all parameters once.
  ///
  /// - Parameters:
  ///   - learningRate: this step's.
  ///   - gradientScale: what gradients are multiplied with.
  ///   - pool: threads that share the work.
  public func step(learningRate: Double, gradientScale: Float, pool: ThreadPool) {
    pool.clock?.enter(.optimizer)
    defer { pool.clock?.enter(.other) }
    fit()
    weightSteps += 1
    let settings = StepSettings(
      learningRate: learningRate, gradientScale: gradientScale, number: weightSteps,
      corrections: corrections)
    pool.run(chunks: pieces.count, with: (self, settings, pool.clock)) { job, index, worker in
      let (state, clock) = (job.0, job.2)
      var settings = job.1
      let piece = state.piece(index)
      guard !piece.range.isEmpty else { return }
      if state.keepsAges, state.ages[piece.parameter].areKept {
        settings.ages = state.ages[piece.parameter]
      }
      clock?.enter(parameter: piece.parameter, worker)
      state.optimizer.update(
        state.parameters[piece.parameter], slots: state.slots[piece.parameter],
        range: piece.range, settings: settings)
    }
  }

  /// The Euclidean norm of all gradients together, summed in double piece by piece.
  package func gradientNorm(pool: ThreadPool) -> Double {
    pool.clock?.enter(.optimizer)
    fit()
    pool.run(chunks: pieces.count, with: self) { state, index, _ in
      let piece = state.piece(index)
      unsafe state.pieceSums.base[index] =
        state.parameters[piece.parameter].gradient.sumOfSquares(piece.range)
    }
    var sum = 0.0
    for index in 0..<pieces.count { sum += pieceSums[index] }
    return sum.squareRoot()
  }

  /// Moves the slots of a sparse layer's weight with its connections; new ones start at zero, and at
  /// the next weight step.
  func follow(_ change: TopologyChange, of weights: SparseWeights, scratch: TopologyScratch) {
    for index in 0..<parameters.count where parameters[index] === weights.parameter {
      for number in 0..<slots[index].count {
        slots[index][number].buffer.follow(change, scratch: &scratch.oldColumns)
      }
      guard keepsAges else { continue }
      ages[index].follow(change, of: weights, after: weightSteps, scratch: scratch)
      prepareCorrections()
    }
  }
}

extension Optimizer {
  /// What is wrong with the names of the slots, which files tell their arrays apart by; nil: nothing.
  var slotProblem: String? {
    var names: Set<String> = []
    for name in slotNames {
      let problem: String
      if !names.insert(name).inserted {
        problem = "is there twice"
      } else if name.isEmpty || name.contains(".") {
        problem = "is not a word without a dot"
      } else if ["values", "columns", "row_offsets", Parameter.birth].contains(name)
        || name.hasPrefix("formerly_active")
      {
        problem = "is the name of what files have of connections"
      } else {
        continue
      }
      return "optimizer \(type(of: self)): the slot '\(shortened(name))' \(problem)"
    }
    return nil
  }

  /// Throws a configuration error where slots cannot be told apart.
  func requireUsableSlots() throws(RigLError) {
    if let slotProblem {
      throw RigLError(.configuration, slotProblem, hint: "Name each of slotNames by its own word.")
    }
  }
}

/// Scales gradients so that their norm is at most a given one.
package enum GradientClipping {
  /// min(1, maximum / (norm + 1e-6)), as PyTorch clips.
  package static func scale(norm: Double, maximum: Double) -> Float {
    Float(min(1, maximum / (norm + 1e-6)))
  }
}
