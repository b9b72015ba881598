/// A network's layers as what they do to channels, one operation after the other, with nothing fused:
/// the one walk over layers for all who ask about channels.
///
/// Two questions are asked. ``LiveUnits`` counts by the rule of the publications: a unit without a path
/// of connections is dead, whatever it computes. ``ChannelUse`` finds the channels that a smaller
/// network of the same outputs does without, where constants and residual sums have a say.
///
/// Channels that can only go together are a group: pooling, batch-norm, activations and depthwise
/// convolutions hand each channel on, and a residual sum joins those of its branches. A linear layer or
/// another convolution begins a new group with its outputs. Values between operations are numbered; 0
/// is the network's input, of which a selection may leave some channels out.
struct ChannelFlow {
  /// What an operation computes.
  enum Kind {
    /// A linear layer, or a convolution that is not depthwise.
    case product(LayerWeights)
    /// A convolution of each channel by itself.
    case depthwise(LayerWeights)
    case norm(Normalization)
    case activation(Activation)
    /// What leaves a constant channel as it is: pooling, dropout, flattening.
    case passing
    /// The sum of the input and another value, and what is applied to it.
    case sum(with: Int, activation: Activation?)
    /// What an own layer does, with the weights of its stage; without, each channel may at least depend
    /// on the same one of the input alone.
    case unknown(LayerWeights?, keepsChannels: Bool)

    /// The weights, if there are any.
    var weights: LayerWeights? {
      switch self {
      case .product(let weights), .depthwise(let weights): weights
      case .unknown(let weights, _): weights
      case .norm, .activation, .passing, .sum: nil
      }
    }

    /// Whether each channel of the output depends on the same one of the input alone.
    var keepsChannels: Bool {
      switch self {
      case .depthwise, .norm, .activation, .passing: true
      case .unknown(_, let keepsChannels): keepsChannels
      case .product, .sum: false
      }
    }
  }

  /// An operation of a network.
  struct Operation {
    let kind: Kind
    let layer: any Layer
    let input: Int
    let output: Int
  }

  private(set) var operations: [Operation] = []
  /// The channels of the network's input that value 0 holds, ascending; nil: all.
  let selected: [Int]?
  /// Channels of the network's input.
  let inputs: Int
  /// The last value: the logits.
  private(set) var output = 0
  /// The first layer of which it is not known what it does to channels.
  private var unknown: (any Layer)?
  private var shapes: [SampleShape] = []
  private var groups: [Int] = []
  /// Of each group, the one that it was joined to; itself, if none.
  private var parents: [Int] = []
  private var widths: [Int] = []

  /// What a plan has made of layers, by their names.
  private struct Made {
    let weights: [String: LayerWeights]
    let norms: [String: Normalization]

    init(_ plan: Plan) {
      weights = Dictionary(plan.weights.map { ($0.name, $0) }) { first, _ in first }
      norms = Dictionary(plan.norms.map { ($0.name, $0) }) { first, _ in first }
    }
  }

  /// Follows the layers of a model, for samples of a shape.
  ///
  /// - Throws: `RigLError(.configuration)` where layers do not fit together.
  init(_ layers: Sequential, input: SampleShape, _ plan: Plan) throws(RigLError) {
    (selected, inputs) = (layers.selectedInputs, input.channels)
    let channels = selected?.count ?? inputs
    _ = addValue(
      of: addGroup(channels),
      SampleShape(channels: channels, height: input.height, width: input.width))
    output = try add(layers.layersAfterSelection, to: 0, Made(plan))
  }

  /// Throws where it is not known of a layer what it does to channels.
  func requireKnown() throws(RigLError) {
    guard let unknown else { return }
    let name = unknown.nameInFiles.map { " (\($0))" } ?? ""
    throw RigLError(
      .configuration,
      "a network with \(unknown.kind)\(name) cannot be stripped: nothing says what it does to "
        + "channels", hint: "Networks of this library's own layers can be.")
  }

  /// The group of a value's channels.
  func group(of value: Int) -> Int {
    var group = groups[value]
    while parents[group] != group { group = parents[group] }
    return group
  }

  /// Channels of a value; of a flattened one, of the images before.
  func channels(of value: Int) -> Int { widths[group(of: value)] }

  /// The shape of a value; of a flattened one, the vector's.
  func shape(of value: Int) -> SampleShape { shapes[value] }

  /// How many values there are.
  var values: Int { groups.count }

  private mutating func addGroup(_ channels: Int) -> Int {
    widths.append(channels)
    parents.append(parents.count)
    return parents.count - 1
  }

  private mutating func addValue(of group: Int, _ shape: SampleShape) -> Int {
    groups.append(group)
    shapes.append(shape)
    return groups.count - 1
  }

  private mutating func add(
    _ layers: [any Layer], to input: Int, _ made: Made
  ) throws(RigLError) -> Int {
    var value = input
    for layer in layers { value = try add(layer, to: value, made) }
    return value
  }

  private mutating func add(
    _ layer: any Layer, to input: Int, _ made: Made
  ) throws(RigLError) -> Int {
    switch layer.parts {
    case .sequence(let layers): return try add(layers, to: input, made)
    case .branches(let before, let main, let shortcut):
      let shared = try add(before, to: input, made)
      let sum = try add(main, to: shared, made)
      // A shortcut without layers passes by what the branches share.
      let other = shortcut.isEmpty ? input : try add(shortcut, to: shared, made)
      let (one, two) = (group(of: sum), group(of: other))
      if widths[one] == widths[two] { parents[max(one, two)] = min(one, two) } else { miss(layer) }
      return add(
        .sum(with: other, activation: layer.effect.activation), layer, from: sum,
        to: group(of: sum), shapes[sum])
    case .none:
      let shape = try layer.outputShape(of: shapes[input])
      let kind = kind(of: layer, channels: channels(of: input), outputs: shape.channels, made)
      let group =
        kind.keepsChannels
        ? group(of: input) : addGroup(kind.weights?.outputs ?? shape.channels)
      return add(kind, layer, from: input, to: group, shape)
    }
  }

  private mutating func add(
    _ kind: Kind, _ layer: any Layer, from input: Int, to group: Int, _ shape: SampleShape
  ) -> Int {
    let output = addValue(of: group, shape)
    operations.append(Operation(kind: kind, layer: layer, input: input, output: output))
    return output
  }

  private mutating func kind(
    of layer: any Layer, channels: Int, outputs: Int, _ made: Made
  ) -> Kind {
    let weights = layer.nameInFiles.flatMap { made.weights[$0] }
    let norm = layer.nameInFiles.flatMap { made.norms[$0] }
    switch layer.effect {
    case .mixing:
      if let weights, weights.inputs % channels == 0 { return .product(weights) }
    case .depthwise:
      if let weights { return .depthwise(weights) }
    case .norm:
      if let norm, norm.layer.channels == channels { return .norm(norm) }
      miss(layer)
      return .unknown(nil, keepsChannels: true)
    case .activation(let activation): return .activation(activation)
    case .passing: return .passing
    case .selection, .sum, .keeping, .unknown: break
    }
    miss(layer)
    // Where its outputs are not those of the weights, a channel is not a row of them.
    let rows = weights.flatMap { $0.outputs == outputs ? $0 : nil }
    return .unknown(rows, keepsChannels: layer.effect.keepsChannels)
  }

  private mutating func miss(_ layer: any Layer) { unknown = unknown ?? layer }
}
