/// What runs of a ``LayerNorm``.
final class LayerNormalization: PlacedStage {
  let site: StageSite
  let parameters: [Parameter]
  private let gamma: Parameter
  private let beta: Parameter
  private let epsilon: Float
  /// The mean and √(variance + ε), inverted, of each sample.
  private let mean: AlignedBuffer<Float>
  private let inverse: AlignedBuffer<Float>
  private let gradientParts: GradientParts

  init(_ layer: LayerNorm, _ site: StageSite) {
    (self.site, epsilon) = (site, layer.epsilon)
    func parameter(_ name: String) -> Parameter {
      Parameter(
        name: "\(layer.name).\(name)", shape: [layer.features], count: layer.features,
        decays: false)
    }
    (gamma, beta) = (parameter("weight"), parameter("bias"))
    gamma.values.fill(1)
    parameters = [gamma, beta]
    let samples = site.capacity.dividedUp(by: site.lanes) * site.lanes
    mean = AlignedBuffer(count: samples)
    inverse = AlignedBuffer(count: samples)
    gradientParts = GradientParts(weight: gamma, bias: beta, memory: site.parts)
    gradientParts.isNeeded = site.isTraining && samples > site.lanes
  }

  var timing: StageTiming { StageTiming(.normalization) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let x = counts.bytes(of: input.shape)
    return [.normalization: counts.both(StageWork(near: 2 * x), StageWork(near: 2 * x, far: x))]
  }

  private func statistics(_ group: Int) -> LayerNormStatistics {
    let first = group * input.lanes
    return unsafe LayerNormStatistics(mean: mean.base + first, inverse: inverse.base + first)
  }

  func forward(_ pass: Pass) {
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: self) { stage, group, _ in
      unsafe stage.output.normalize(
        group: group, stage.input, gamma: stage.gamma, beta: stage.beta, epsilon: stage.epsilon,
        stage.statistics(group))
    }
  }

  /// Some groups are a thread's share, with sums of the parameters' gradients of their own that are added
  /// up, in order, at the end.
  func backward(_ pass: Pass) {
    // Where nobody asks for it, the input's gradient takes the place of the output's.
    let dx = inputGradient ?? outputGradient
    dx.samples = input.samples
    let parts = min(GradientParts.count, input.groups)
    pass.pool.run(chunks: parts, with: (self, dx, parts, pass)) { work, part, _ in
      let (stage, dx, parts, pass) = work
      let groups = stage.input.groups
      let (gamma, beta) = unsafe stage.gradientParts.bases(part)
      guard let beta = unsafe beta else { return }
      if part > 0 || !pass.accumulatesGradients {
        unsafe gamma.update(repeating: 0, count: stage.gamma.count)
        unsafe beta.update(repeating: 0, count: stage.beta.count)
      }
      for group in part * groups / parts..<(part + 1) * groups / parts {
        unsafe stage.outputGradient.normalizeBackward(
          group: group, stage.input, gamma: stage.gamma, stage.statistics(group), dx: dx,
          gammaGradient: gamma, betaGradient: beta)
      }
    }
    gradientParts.join(parts, pool: pass.pool)
  }
}
