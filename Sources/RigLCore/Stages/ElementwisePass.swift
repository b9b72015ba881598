/// An activation or dropout as a pass of its own, where no layer before can apply it.
final class ElementwisePass: PlacedStage {
  let site: StageSite

  init(_ site: StageSite) { self.site = site }

  var timing: StageTiming { StageTiming(.elementwise) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let (x, y) = (counts.bytes(of: input.shape), counts.bytes(of: output.shape))
    return [.elementwise: counts.both(StageWork(near: x + y), StageWork(near: x + y, far: y))]
  }

  func forward(_ pass: Pass) {
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: (input, output, epilogue, pass)) { work, group, _ in
      let (input, output, epilogue, pass) = work
      output.copyGroup(group, from: input)
      output.applyEpilogue(
        group: group, channels: 0..<input.shape.count, bias: nil, epilogue: epilogue, pass: pass)
    }
  }

  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    inputGradient.samples = outputGradient.samples
    // What an activation was applied to is the input, and still there.
    let values = epilogue.activation.needsInput ? input : output
    let operands = (outputGradient, inputGradient, values, epilogue, pass)
    pass.pool.run(chunks: outputGradient.groups, with: operands) { operands, group, _ in
      let (outputGradient, gradient, values, epilogue, pass) = operands
      if gradient !== outputGradient { gradient.copyGroup(group, from: outputGradient) }
      unsafe gradient.applyEpilogueBackward(
        group: group, channels: 0..<gradient.shape.count, output: values, biasGradient: nil,
        epilogue: epilogue, pass: pass)
    }
  }
}
