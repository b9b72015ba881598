internal import CSparseKernels

/// The elementwise work on a layer's output after its product: bias, then an activation, then dropout.
///
/// A layer whose ``Layer/fusing`` offers ``Fusing/appliesEpilogue`` has its stage do it: by handing
/// it to a ``SparseProduct``, or by ``apply(to:bias:_:)`` and ``applyBackward(to:output:bias:_:)``.
public struct Epilogue {
  var activation: Activation?
  /// What the activation was applied to, laid out as the output, in training: where its gradient needs
  /// it.
  var kept: Tensor?
  /// The probability of dropping a value in training; 0: no dropout.
  var dropout: Float = 0
  /// The layer number that keys the dropout mask.
  var dropoutLayer = 0

  /// Has what the activation is applied to kept for another output than the network's.
  mutating func follow(_ output: Tensor) {
    guard kept != nil else { return }
    kept = Tensor(shape: output.shape, capacity: output.capacity, lanes: output.lanes)
  }

  /// Whether anything but the bias is applied in a pass.
  func isIdentity(_ pass: Pass) -> Bool { activation == nil && !drops(pass) }

  /// Whether values are dropped in a pass.
  func drops(_ pass: Pass) -> Bool { pass.isTraining && dropout > 0 }

  /// Where an activation's input is kept in a pass, from a group on; nil: nowhere.
  func keptBase(group: Int, _ pass: Pass) -> UnsafeMutablePointer<Float>? {
    guard pass.isTraining, let kept else { return nil }
    return unsafe kept.base + group * kept.groupStride
  }

  func view(_ pass: Pass) -> csk_epilogue {
    let key = CounterRandom(seed: pass.seed, purpose: .dropout, layer: dropoutLayer).key
    return unsafe csk_epilogue(
      activation: activation.view, keep: pass.isTraining ? 1 - dropout : 1,
      dropout_key: (key.0, key.1),
      dropout_stream: pass.batchesConsumed, places: pass.places)
  }
}

extension Epilogue {
  /// Applies bias, activation and dropout to a stage's output: output = dropout(f(output + bias)), with a
  /// bias for each value of a sample.
  public func apply(to output: Tensor, bias: Parameter?, _ pass: Pass) {
    check(bias, output)
    guard bias != nil || !isIdentity(pass) else { return }
    pass.pool.run(chunks: output.groups, with: (output, self, bias, pass)) { work, group, _ in
      let (output, epilogue, bias, pass) = work
      output.applyEpilogue(
        group: group, channels: 0..<output.shape.count, bias: bias, epilogue: epilogue, pass: pass)
    }
  }

  /// Turns the gradient of a stage's output into that of what ``apply(to:bias:_:)`` was given, and
  /// sums the bias's gradient.
  public func applyBackward(
    to gradient: Tensor, output: Tensor, bias: Parameter?, _ pass: Pass
  ) {
    check(bias, output)
    trap(
      unless: gradient.isLaidOut(as: output) && gradient.groups <= output.groups,
      "Epilogue: a gradient of \(gradient.samples) samples of \(gradient.shape.count) values, an output "
        + "of \(output.samples) of \(output.shape.count)")
    guard gradient.groups > 0 else { return }
    gradient.applyEpilogueBackward(
      groups: 0..<gradient.groups, output: output, bias: bias, epilogue: self, pass: pass)
  }

  private func check(_ bias: Parameter?, _ output: Tensor) {
    trap(
      unless: bias.map { $0.count == output.shape.count } ?? true,
      "Epilogue: a bias of \(bias?.count ?? 0) for an output of \(output.shape.count) values")
    trap(
      unless: kept.map { output.isLaidOut(as: $0) && output.groups * output.lanes <= $0.room }
        ?? true,
      "Epilogue: an output of \(output.shape.count) values, but the site's is of "
        + "\(kept?.shape.count ?? 0); set StageSite.output before its epilogue is taken")
  }
}

extension Tensor {
  /// Whether values have the places that they have in another tensor.
  fileprivate func isLaidOut(as other: Tensor) -> Bool {
    shape.count == other.shape.count && lanes == other.lanes
  }

  /// Samples that there is memory for.
  fileprivate var room: Int { capacity.dividedUp(by: lanes) * lanes }
}

extension Tensor {
  /// self = dropout(f(self + bias)) for some channels of one group.
  func applyEpilogue(
    group: Int, channels: Range<Int>, bias: Parameter?, epilogue: Epilogue, pass: Pass
  ) {
    var view = unsafe epilogue.view(pass)
    let status = unsafe csk_epilogue_forward(
      base + group * groupStride, Int32(channels.lowerBound), Int32(channels.upperBound),
      Int32(lanes), Int64(group * lanes), bias.map { unsafe UnsafePointer($0.values.base) }, &view,
      epilogue.keptBase(group: group, pass))
    expectOK(status, "csk_epilogue_forward")
  }

  /// Turns the gradient of an epilogue's result into that of its input for some channels of one
  /// group: zeroes dead lanes, and adds to the bias gradient.
  func applyEpilogueBackward(
    group: Int, channels: Range<Int>, output: Tensor, biasGradient: UnsafeMutablePointer<Float>?,
    epilogue: Epilogue, pass: Pass
  ) {
    var view = unsafe epilogue.view(pass)
    let values = epilogue.kept ?? output
    let status = unsafe csk_epilogue_backward(
      base + group * groupStride, values.base + group * groupStride, Int32(channels.lowerBound),
      Int32(channels.upperBound), Int32(lanes), Int32(liveLanes(group: group)),
      Int64(group * lanes), &view, biasGradient)
    expectOK(status, "csk_epilogue_backward")
  }
}

extension Tensor {
  /// Reads some groups in order, so that they are in this thread's cache.
  func warm(_ groups: Range<Int>) {
    unsafe csk_warm(base + groups.lowerBound * groupStride, Int64(groups.count * groupStride))
  }

  /// Warms some channels of groups, as ``warm(_:)``.
  func warm(_ groups: Range<Int>, channels: Range<Int>) {
    for group in groups {
      let start = group * groupStride + channels.lowerBound * lanes
      unsafe csk_warm(base + start, Int64(channels.count * lanes))
    }
  }
}
