/// y = main(x) + shortcut(x), as residual networks are made of.
///
/// Both kinds of blocks are this layer: a pre-activation block (WRN) has batch-norm and ReLU in
/// `before`, which its branches share, and adds the plain sums; a post-activation block (ResNet)
/// has branches that end with batch-norm, and a ReLU after the sum.
public final class Residual: Layer, PlaneWriter {
  /// What main branch and a shortcut with layers share: batch-norm and ReLU, or nothing. A shortcut
  /// without layers passes by it.
  public let before: [any Layer]
  /// The main branch.
  public let main: Sequential
  /// The shortcut; without layers the input itself.
  public let shortcut: Sequential
  /// Whether a ReLU follows the sum.
  public let relu: Bool

  var outputNorm: BatchNorm?
  var foldsNorm = false
  private(set) var shared = Prologue()
  /// The convolutions where the shortcut's gradient joins, and, if that is all there is to the sum,
  /// where the shortcut itself does.
  private(set) var joinsGradient: PlaneConvolution?
  private(set) var joinsOutput: PlaneConvolution?
  private var input: Tensor?
  private var output: Tensor?
  private var mainOutput: Tensor?
  private var shortcutOutput: Tensor?

  /// Creates a block.
  public init(
    before: [any Layer] = [], main: [any Layer], shortcut: [any Layer] = [], relu: Bool = false
  ) {
    self.before = before
    self.main = Sequential(main)
    self.shortcut = Sequential(shortcut)
    self.relu = relu
  }

  /// It works on planes.
  public var takesPlanes: Bool { true }
  /// All layers' parameters, in order: before, main, shortcut.
  public var parameters: [Parameter] {
    before.flatMap(\.parameters) + main.parameters + shortcut.parameters
  }
  /// The weight layers of the main branch, then the shortcut's.
  public var weightLayers: [any WeightLayer] { main.weightLayers + shortcut.weightLayers }
  /// All layers' averages.
  public var averages: [RunningAverage] {
    before.flatMap(\.averages) + main.averages + shortcut.averages
  }

  /// The branches' shape, which must be the same.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    var shape = input
    for layer in before { shape = try layer.outputShape(of: shape) }
    let (sum, other) = (try main.outputShape(of: shape), try shortcut.outputShape(of: shape))
    guard sum == other else {
      throw RigLError(
        .configuration,
        "residual block: a main branch of \(sum.channels) × \(sum.height) × \(sum.width) and a "
          + "shortcut of \(other.channels) × \(other.height) × \(other.width)",
        hint: "Give the shortcut a projection.")
    }
    return sum
  }

  /// Whether the shortcut is the input as it is, while the main branch reads it through what is
  /// `before`.
  var passesBy: Bool { shortcut.layers.isEmpty && !shared.isIdentity }

  /// The batch-norm that reads the block's input before anything else does.
  var leadingNorm: BatchNorm? { before.first as? BatchNorm }

  /// Prepares the branches, and finds out who applies what.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    shared = try prologue(of: before)
    main.begin(with: shared, keepsTrailingNorm: true)
    shortcut.begin(with: shortcut.layers.isEmpty ? Prologue() : shared, keepsTrailingNorm: true)
    let isNeeded = context.needsInputGradient || shared.norm != nil
    let shape = try main.prepare(
      context.branch(1, isShortcut: false, needsInputGradient: isNeeded))
    joinsGradient = (main.firstStage as? Conv2d)?.work
    guard joinsGradient != nil else {
      throw RigLError(
        .configuration, "residual block: its main branch must begin with a convolution")
    }
    if !shortcut.layers.isEmpty {
      _ = try shortcut.prepare(
        context.branch(2, isShortcut: true, needsInputGradient: isNeeded))
      let first = (shortcut.firstStage as? Conv2d)?.work
      guard shared.isIdentity || first != nil else {
        throw RigLError(
          .configuration, "residual block: its shortcut must begin with a convolution",
          hint: "Or leave out what comes before both branches.")
      }
      first?.defersPrologue = true
    }
    joinsOutput = nil
    if !relu, main.trailingNorm == nil, shortcut.trailingNorm == nil,
      let last = main.lastStage as? Conv2d
    {
      joinsOutput = last.work
      last.work.outputNorm = outputNorm
    } else {
      output = context.makePlanes(shape)
    }
    return shape
  }

  private func prologue(of layers: [any Layer]) throws(RigLError) -> Prologue {
    var prologue = Prologue()
    for layer in layers {
      switch layer {
      case let norm as BatchNorm where prologue.isIdentity: prologue.norm = norm
      case is ReLU: prologue.relu = true
      default:
        throw RigLError(
          .configuration, "residual block: \(type(of: layer)) before its branches",
          hint: "Only batch-norm and then ReLU can be there.")
      }
    }
    return prologue
  }

  /// The sum of the branches.
  public func forward(_ input: Tensor, _ pass: Pass) throws(RigLError) -> Tensor {
    self.input = input
    let past = shortcut.layers.isEmpty ? input : try shortcut.forward(input, pass)
    shortcutOutput = past
    if let joinsOutput {
      joinsOutput.residual = past
      let sum = try main.forward(input, pass)
      output = sum
      return sum
    }
    guard let output else { trap("Residual: forward before prepare") }
    let sum = try main.forward(input, pass)
    pass.pool.clock?.enter(self, isForward: true)
    mainOutput = sum
    output.samples = input.samples
    let rows = PlaneRows(of: output)
    let work = (self, sum, past, output, rows, pass)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, _ in
      let (layer, sum, past, output, rows, pass) = work
      let statistics = pass.isTraining ? layer.outputNorm?.statistics : nil
      rows.begin(part, statistics, output)
      for row in rows[part] {
        let (group, y) = (row / output.shape.height, row % output.shape.height)
        let target = unsafe output.row(y, group: group)
        unsafe target.join(
          sum.row(y, group: group), layer.main.trailingNorm, past.row(y, group: group),
          layer.shortcut.trailingNorm, relu: layer.relu)
        guard let statistics else { continue }
        unsafe target.unpackOutput(
          product: target.base, channelStride: output.shape.width * output.lanes, bias: nil,
          residual: nil, live: output.liveLanes(group: group), statistics: statistics,
          part: part, starts: row == rows[part].lowerBound)
      }
    }
    try outputNorm?.finishForward(parts: rows.parts, values: output.planeValues, pass)
    return output
  }

  /// The gradients of both branches, added up.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) throws(RigLError) -> Tensor? {
    guard let input, let output else { trap("Residual: backward before forward") }
    let gradient = gradientOfSum(outputGradient, output, pass)
    var past: Tensor? = gradient
    if !shortcut.layers.isEmpty { past = try shortcut.backward(gradient, pass) }
    // What came by the shortcut joins where the main branch's gradient is written; but what passed
    // by batch-norm and ReLU joins after them.
    joinsGradient?.addend = passesBy ? nil : past
    guard let result = try main.backward(gradient, pass) else { return nil }
    pass.pool.clock?.enter(self, isForward: false)
    if passesBy || shared.norm != nil {
      result.applyNormGradient(
        shared.norm, input: input, addend: passesBy ? past : nil, into: result, pass)
    }
    return result
  }

  /// The gradient of what the branches add up to, before ReLU, in place; with the sums of the
  /// batch-norms that the branches end with.
  private func gradientOfSum(_ gradient: Tensor, _ output: Tensor, _ pass: Pass) -> Tensor {
    if foldsNorm {
      gradient.applyNormGradient(outputNorm, input: output, addend: nil, into: gradient, pass)
    }
    let (mainNorm, shortcutNorm) = (main.trailingNorm, shortcut.trailingNorm)
    guard relu || mainNorm != nil || shortcutNorm != nil, let mainOutput, let shortcutOutput
    else { return gradient }
    let rows = PlaneRows(of: gradient)
    let work = (self, gradient, output, mainOutput, shortcutOutput, rows)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, _ in
      let (layer, gradient, output, mainOutput, shortcutOutput, rows) = work
      rows.begin(part, layer.main.trailingNorm?.gradientSums, gradient)
      rows.begin(part, layer.shortcut.trailingNorm?.gradientSums, gradient)
      for row in rows[part] {
        let (group, y) = (row / gradient.shape.height, row % gradient.shape.height)
        let place = unsafe gradient.row(y, group: group)
        unsafe place.joinGradient(
          place, layer.relu ? output.row(y, group: group) : nil,
          mainOutput.row(y, group: group), layer.main.trailingNorm,
          shortcutOutput.row(y, group: group), layer.shortcut.trailingNorm, part: part)
      }
    }
    mainNorm?.finishBackward(parts: rows.parts, pass)
    shortcutNorm?.finishBackward(parts: rows.parts, pass)
    return gradient
  }
}
