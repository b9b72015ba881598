/// The branches of a residual block, for its sum and its entry.
struct BlockSite {
  /// The branches' outputs; of a shortcut without layers the block's input.
  let main: Tensor
  let shortcut: Tensor
  /// The batch-norms that branches end with, which the sum applies.
  let mainNorm: Normalization?
  let shortcutNorm: Normalization?
  /// The activation after the sum.
  let activation: Activation?
  /// The sum before it, in training: where its gradient needs it.
  let kept: Tensor?
  /// Whether the main branch's last stage writes the sum.
  let isWritten: Bool
  /// The batch-norm and activation that both branches read the block's input through.
  let shared: Prologue
  /// Whether the shortcut passes by what the main branch reads through.
  let passesBy: Bool
  /// Whether the main branch's first stage adds the shortcut's gradient to its own.
  let isGradientAdded: Bool
  /// Gradients of the branches' outputs, where they are not the sum's: of stages that would change
  /// it.
  let mainGradient: Tensor?
  let shortcutGradient: Tensor?
  /// The gradient of the block's input by the shortcut.
  let gradientPast: Tensor?
}

/// A residual block's end: y = f(norm(main) + norm(shortcut)), unless the main branch's last stage
/// writes the sum; going back, the gradients of both branches.
final class Sum: PlacedStage {
  let site: StageSite
  private let block: BlockSite

  init(_ block: BlockSite, _ site: StageSite) { (self.block, self.site) = (block, site) }

  var timing: StageTiming { StageTiming(.join) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let y = counts.bytes(of: output.shape)
    var work = StageWork()
    // Both branches are read, the sum is written.
    if !block.isWritten { work.add(StageWork(near: 3 * y)) }
    if takesNormGradient { work.add(StageWork(near: 2 * y, far: y)) }
    let reads = [block.activation != nil, block.mainNorm != nil, block.shortcutNorm != nil]
    let read = reads.count { $0 }
    if read > 0 { work.add(StageWork(near: 2 * y, far: Double(read) * y)) }
    return [.join: work]
  }

  func forward(_ pass: Pass) throws(RigLError) {
    guard !block.isWritten else { return }
    output.samples = block.main.samples
    let rows = PlaneRows(of: output)
    pass.pool.run(chunks: rows.parts, with: (self, rows, pass)) { work, part, _ in
      let (stage, rows, pass) = work
      let (block, output) = (stage.block, stage.output)
      let statistics = pass.isTraining ? stage.outputNorm?.statistics : nil
      rows.begin(part, statistics, output)
      for row in rows[part] {
        let (group, y) = (row / output.shape.height, row % output.shape.height)
        let target = unsafe output.row(y, group: group)
        let kept = unsafe pass.isTraining ? block.kept?.row(y, group: group) : nil
        unsafe (kept ?? target).residual(
          block.main.row(y, group: group), block.mainNorm, block.shortcut.row(y, group: group),
          block.shortcutNorm, kept == nil ? block.activation : nil)
        if let kept = unsafe kept {
          unsafe kept.pack(
            Prologue(activation: block.activation), RowLayout(width: target.width),
            into: target.base)
        }
        guard let statistics else { continue }
        unsafe target.unpackOutput(
          product: target.base, channelStride: output.shape.width * output.lanes, bias: nil,
          residual: nil, live: output.liveLanes(group: group), statistics: statistics,
          part: part, starts: row == rows[part].lowerBound)
      }
    }
    try outputNorm?.finishForward(parts: rows.parts, values: output.planeValues, pass)
  }

  /// The gradient of what the branches add up to, before the activation, in place; with the sums of
  /// the batch-norms that the branches end with.
  func backward(_ pass: Pass) {
    if takesNormGradient {
      outputGradient.applyNormGradient(
        outputNorm, input: output, addend: nil, into: outputGradient, pass)
    }
    if block.activation != nil || block.mainNorm != nil || block.shortcutNorm != nil {
      residualGradient(pass)
    }
    copyGradient(to: block.mainGradient, pass)
    copyGradient(to: block.shortcutGradient, pass)
  }

  private func copyGradient(to branch: Tensor?, _ pass: Pass) {
    guard let branch else { return }
    branch.samples = outputGradient.samples
    pass.pool.run(chunks: outputGradient.groups, with: (branch, outputGradient)) { work, group, _ in
      work.0.copyGroup(group, from: work.1)
    }
  }

  private func residualGradient(_ pass: Pass) {
    let rows = PlaneRows(of: outputGradient)
    pass.pool.run(chunks: rows.parts, with: (self, rows)) { work, part, _ in
      let (stage, rows) = work
      let (block, gradient) = (stage.block, stage.outputGradient)
      rows.begin(part, block.mainNorm?.gradientSums, gradient)
      rows.begin(part, block.shortcutNorm?.gradientSums, gradient)
      for row in rows[part] {
        let (group, y) = (row / gradient.shape.height, row % gradient.shape.height)
        let place = unsafe gradient.row(y, group: group)
        unsafe place.residualGradient(
          place, block.activation, (block.kept ?? stage.output).row(y, group: group),
          block.main.row(y, group: group), block.mainNorm,
          block.shortcut.row(y, group: group), block.shortcutNorm, part: part)
      }
    }
    block.mainNorm?.finishBackward(parts: rows.parts, pass)
    block.shortcutNorm?.finishBackward(parts: rows.parts, pass)
  }
}

/// A residual block's beginning, which has something to do going back only: what came by the
/// shortcut, where the main branch's first stage does not add it, and the gradient of the batch-norm
/// that both branches read through.
final class Fork: PlacedStage {
  let site: StageSite
  private let block: BlockSite

  init(_ block: BlockSite, _ site: StageSite) { (self.block, self.site) = (block, site) }

  private var norm: Normalization? { block.shared.norm }
  private var addend: Tensor? { block.isGradientAdded ? nil : block.gradientPast }

  var timing: StageTiming { StageTiming(.join) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    guard addend != nil || norm != nil else { return [:] }
    let x = counts.bytes(of: input.shape)
    return [
      .join: StageWork(near: 2 * x, far: (norm == nil ? 0 : x) + (addend == nil ? 0 : x))
    ]
  }

  func forward(_ pass: Pass) {}

  func backward(_ pass: Pass) {
    guard let gradient = inputGradient, addend != nil || norm != nil else { return }
    if norm == nil, gradient.lanes != BandGeometry.lanes, let addend {
      gradient.add(addend, pass)
    } else {
      gradient.applyNormGradient(norm, input: input, addend: addend, into: gradient, pass)
    }
  }
}

extension Tensor {
  /// self += other, of the same shape.
  fileprivate func add(_ other: Tensor, _ pass: Pass) {
    pass.pool.run(chunks: groups, with: (self, other)) { work, group, _ in
      let (target, other) = work
      let place = group * target.groupStride
      for index in place..<place + target.groupStride {
        unsafe target.base[index] += other.base[index]
      }
    }
  }
}
