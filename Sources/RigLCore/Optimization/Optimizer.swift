import Foundation

/// A rule that changes parameters by their gradients, once a step.
///
/// State lies in slots, arrays beside a parameter's values that move with the connections when a
/// topology changes. An own optimizer names its slots and applies its rule to a range.
public protocol Optimizer: Sendable {
  /// The names of the arrays of state kept for each parameter.
  var slotNames: [String] { get }
  /// Whether the rule asks for the ages of connections, ``StepSettings/age(of:)``; by default not.
  var usesAges: Bool { get }

  /// Changes the values of a parameter in a range; called for all ranges of all parameters once a
  /// step, on several threads.
  ///
  /// - Parameters:
  ///   - parameter: the values and their gradient.
  ///   - slots: the parameter's slots, in the order of ``slotNames``.
  ///   - range: the indices whose values are changed.
  ///   - settings: what this step uses.
  func update(_ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings)
}

extension Optimizer {
  /// Not, unless a rule says otherwise.
  public var usesAges: Bool { false }
}

/// The numbers of a step that a rule depends on besides the gradients.
public struct StepSettings: Sendable {
  /// The learning rate of this step.
  public var learningRate: Double
  /// The factor of the gradients: of clipping and of gradient accumulation; 1 without both.
  public var gradientScale: Float
  /// The step's number from 1.
  public var number: Int
  /// When the connections of the parameter at hand began; nil: all with the training.
  var ages: ConnectionAges?
  /// The tables of the optimizer's corrections; nil: there are none.
  var corrections: AdamCorrections?

  /// The age of a value of the parameter at hand: weight steps in which it takes part, this one
  /// included. Of a connection they are its own, of all else, and where the optimizer does not say
  /// ``Optimizer/usesAges``, the step's ``number``.
  public func age(of index: Int) -> Int { number - (ages?.birth(at: index) ?? 0) }
}

/// Stochastic gradient descent: plain, with momentum, or Nesterov's.
///
///     g = gradient + λ w;   v = μ v + g;   w = w − η (g + μ v if Nesterov, else v)
public struct SGD: Optimizer, Hashable {
  /// Momentum (μ); 0: plain.
  package var momentum: Float
  /// Whether the step looks ahead along the velocity.
  package var nesterov: Bool
  /// L2 weight decay (λ), added to the gradients of weights, not of biases.
  package var weightDecay: Float
  /// Decoupled decay: weights shrink by this times the learning rate each step.
  package var decoupledWeightDecay: Float

  /// Creates the optimizer.
  public init(
    momentum: Float = 0, nesterov: Bool = false, weightDecay: Float = 0,
    decoupledWeightDecay: Float = 0
  ) {
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.decoupledWeightDecay = decoupledWeightDecay
  }

  /// `velocity`, if there is momentum.
  public var slotNames: [String] { momentum == 0 ? [] : ["velocity"] }

  /// Applies the rule.
  public func update(
    _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
  ) {
    SGDRule(
      learningRate: Float(settings.learningRate), momentum: momentum,
      weightDecay: parameter.decays ? weightDecay : 0,
      decoupledDecay: parameter.decays ? decoupledWeightDecay : 0,
      gradientScale: settings.gradientScale, nesterov: nesterov
    ).apply(to: parameter, velocity: slots.isEmpty ? nil : slots[0], range: range)
  }
}

/// Adam, and AdamW with decoupled decay.
///
/// Kingma and Ba, ICLR 2015; Loshchilov and Hutter, ICLR 2019.
public struct Adam: Optimizer, Hashable {
  /// Decay of the mean gradient (β₁).
  package var beta1: Double
  /// Decay of the mean squared gradient (β₂).
  package var beta2: Double
  /// Added to the denominator (ε).
  package var epsilon: Float
  /// L2 weight decay, added to the gradients of weights before the moments.
  package var weightDecay: Float
  /// Decoupled decay (AdamW): weights shrink by this times the learning rate each step.
  package var decoupledWeightDecay: Float
  /// Which count of weight steps the moments are corrected by.
  package var correction: Correction

  /// Which count of weight steps Adam's moments are corrected by: they begin at 0, and are divided by
  /// 1 − βᵃ for it.
  public enum Correction: String, Codable, CaseIterable, Sendable {
    /// Each connection's own, since it was grown; of dense layers and biases, the training's. The first
    /// step of a grown connection is then the learning rate, as that of any other weight was.
    case connection
    /// The training's, for all. Late in a training, a grown connection's first step is then
    /// (1 − β₁) / √(1 − β₂) learning rates, 3.2 by default, and its twelfth up to 6.6.
    case global
  }

  /// Creates the optimizer.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
    decoupledWeightDecay: Float = 0, correction: Correction = .connection
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decoupledWeightDecay = decoupledWeightDecay
    self.correction = correction
  }

  /// Two moments.
  public var slotNames: [String] { ["first_moment", "second_moment"] }
  /// For corrections by connection.
  public var usesAges: Bool { correction == .connection }

  /// Applies the rule.
  public func update(
    _ parameter: Parameter, slots: [Slot], range: Range<Int>, settings: StepSettings
  ) {
    let step = Double(settings.number)
    // The kernel works with betas as floats, and 1 - 0.999 is off by 5e-5 there: corrections of the
    // same betas take that out again.
    let (beta1, beta2) = (Float(beta1), Float(beta2))
    let rule = AdamRule(
      learningRate: Float(settings.learningRate), beta1: beta1, beta2: beta2,
      epsilon: epsilon,
      weightDecay: parameter.decays ? weightDecay : 0,
      decoupledDecay: parameter.decays ? decoupledWeightDecay : 0,
      gradientScale: settings.gradientScale,
      stepSize: Float(settings.learningRate / (1 - pow(Double(beta1), step))),
      inverseSqrtCorrection2: Float(1 / (1 - pow(Double(beta2), step)).squareRoot()))
    guard correction == .connection, let ages = settings.ages else {
      return rule.apply(to: parameter, first: slots[0], second: slots[1], range: range)
    }
    let corrections =
      settings.corrections ?? AdamCorrections(beta1: beta1, beta2: beta2, atMost: 0)
    // Where the youngest has nothing to correct, nor has the count of the training.
    guard settings.number - ages.latest < corrections.settled else {
      return rule.apply(to: parameter, first: slots[0], second: slots[1], range: range)
    }
    rule.apply(
      to: parameter, first: slots[0], second: slots[1], range: range, ages: ages,
      number: settings.number, corrections)
  }
}
