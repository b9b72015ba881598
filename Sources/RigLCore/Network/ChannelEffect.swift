/// What a layer does to the channels of its input, of vectors to the values: what live units are found
/// by, and the channels that a stripped network does without.
package enum ChannelEffect: Sendable {
  /// Each channel of the output is a sum over those of the input, with `taps` weights for each two
  /// of them; `isPadded`: zeros are set around the input.
  case mixing(taps: Int = 1, isPadded: Bool = false)
  /// Each channel is weighted by itself.
  case depthwise(isPadded: Bool)
  /// Each channel is scaled and shifted by itself: batch-norm.
  case norm
  /// A function is applied to each value.
  case activation(Activation)
  /// Each channel goes on, and one that is a constant stays that constant: pooling, dropout,
  /// flattening.
  case passing
  /// Some channels of the network's input go on, ascending.
  case selection([Int])
  /// The outputs of branches are added up, and a function is applied to the sum.
  case sum(Activation?)
  /// Each channel of the output depends on the same one of the input, nobody knows how.
  case keeping
  /// Nothing is known.
  case unknown

  /// An own layer's, which says what it can take on for others.
  static func ofOwnLayer(_ fusing: Fusing) -> ChannelEffect {
    fusing.contains(.keepsChannels) ? .keeping : .unknown
  }

  /// Whether each channel of the output depends on the same one of the input alone.
  var keepsChannels: Bool {
    switch self {
    case .depthwise, .norm, .activation, .passing, .keeping: true
    case .mixing, .selection, .sum, .unknown: false
    }
  }

  /// Whether each channel is weighted by itself.
  var isDepthwise: Bool {
    if case .depthwise = self { true } else { false }
  }

  /// Whether zeros are set around the input.
  var isPadded: Bool {
    switch self {
    case .mixing(_, let isPadded), .depthwise(let isPadded): isPadded
    default: false
    }
  }

  /// Weights for an input and an output channel.
  var taps: Int {
    if case .mixing(let taps, _) = self { taps } else { 1 }
  }

  /// The function that the layer is, or applies to a sum.
  var activation: Activation? {
    switch self {
    case .activation(let activation): activation
    case .sum(let activation): activation
    default: nil
    }
  }
}
