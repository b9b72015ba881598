/// A network's layers as what they do to channels, one operation after the other, with nothing fused.
///
/// Channels that can only go together are a group: pooling, batch-norm, activations and depthwise
/// convolutions hand each channel on, and a residual sum joins those of its branches. A linear layer or
/// another convolution begins a new group with its outputs. Values between operations are numbered; 0
/// is the network's input.
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
  }

  /// An operation of a network.
  struct Operation {
    let kind: Kind
    let input: Int
    let output: Int
  }

  private(set) var operations: [Operation] = []
  /// The inputs of the network that value 0 holds, ascending.
  let inputs: [Int]
  /// The last value: the logits.
  private(set) var output = 0
  private var groups: [Int] = []
  /// Of each group, the one that it was joined to; itself, if none.
  private var parents: [Int] = []
  private var widths: [Int] = []
  private let weights: [String: LayerWeights]
  private let norms: [String: Normalization]

  /// Follows the layers of a model.
  ///
  /// - Throws: `RigLError(.configuration)` for a layer of which it is not known what it does to
  ///   channels.
  init(_ model: Model) throws(RigLError) {
    weights = Dictionary(uniqueKeysWithValues: model.weightLayers.map { ($0.name, $0) })
    norms = Dictionary(model.normalizations.map { ($0.name, $0) }) { first, _ in first }
    var layers = model.layers.layers
    if let selection = layers.first as? InputSelection {
      inputs = selection.used
      layers.removeFirst()
    } else {
      inputs = Array(0..<model.inputShape.channels)
    }
    _ = addValue(of: addGroup(inputs.count))
    output = try add(layers, to: 0)
  }

  /// The group of a value's channels.
  func group(of value: Int) -> Int {
    var group = groups[value]
    while parents[group] != group { group = parents[group] }
    return group
  }

  /// Channels of a value.
  func channels(of value: Int) -> Int { widths[group(of: value)] }

  /// How many values there are.
  var values: Int { groups.count }

  private mutating func addGroup(_ channels: Int) -> Int {
    widths.append(channels)
    parents.append(parents.count)
    return parents.count - 1
  }

  private mutating func addValue(of group: Int) -> Int {
    groups.append(group)
    return groups.count - 1
  }

  private mutating func add(_ layers: [any Layer], to input: Int) throws(RigLError) -> Int {
    var value = input
    for layer in layers { value = try add(layer, to: value) }
    return value
  }

  private mutating func add(_ layer: any Layer, to input: Int) throws(RigLError) -> Int {
    switch layer.parts {
    case .sequence(let layers): return try add(layers, to: input)
    case .branches(let before, let main, let shortcut):
      guard let block = layer as? Residual else { throw ChannelFlow.unknown(layer) }
      let shared = try add(before, to: input)
      let sum = try add(main, to: shared)
      // A shortcut without layers passes by what the branches share.
      let other = shortcut.isEmpty ? input : try add(shortcut, to: shared)
      let (one, two) = (group(of: sum), group(of: other))
      guard widths[one] == widths[two] else { throw ChannelFlow.unknown(layer) }
      parents[max(one, two)] = min(one, two)
      return add(.sum(with: other, activation: block.activation), from: sum, to: group(of: sum))
    case .none: return add(try kind(of: layer, channels: channels(of: input)), from: input)
    }
  }

  private mutating func add(_ kind: Kind, from input: Int) -> Int {
    guard case .product(let layer) = kind else {
      return add(kind, from: input, to: group(of: input))
    }
    return add(kind, from: input, to: addGroup(layer.outputs))
  }

  private mutating func add(_ kind: Kind, from input: Int, to group: Int) -> Int {
    let output = addValue(of: group)
    operations.append(Operation(kind: kind, input: input, output: output))
    return output
  }

  private func kind(of layer: any Layer, channels: Int) throws(RigLError) -> Kind {
    switch layer {
    case let layer as any ActivationLayer: return .activation(layer.activation)
    case is Dropout, is Pool2d, is GlobalAveragePool, is Flatten: return .passing
    case let norm as BatchNorm:
      guard let made = norms[norm.name], norm.channels == channels else { break }
      return .norm(made)
    case let layer as any WeightLayer
    where layer is SparseLinear || layer is DenseLinear || layer is any Conv2d:
      guard let made = weights[layer.name] else { break }
      if layer.isDepthwise { return .depthwise(made) }
      guard layer.inputs % channels == 0 else { break }
      return .product(made)
    default: break
    }
    throw ChannelFlow.unknown(layer)
  }

  private static func unknown(_ layer: any Layer) -> RigLError {
    let name = layer.nameInFiles.map { " (\($0))" } ?? ""
    return RigLError(
      .configuration,
      "a network with \(layer.kind)\(name) cannot be stripped: nothing says what it does to channels",
      hint: "Networks of this library's own layers can be.")
  }
}

extension LayerWeights {
  /// Calls `body` with output, input and weight of each connection, in the order of positions.
  func forEachWeight(_ body: (_ output: Int, _ input: Int, _ weight: Float) -> Void) {
    if let connections {
      connections.forEachConnection { _, position, place in
        body(position / inputs, position % inputs, weight.values[place])
      }
    } else {
      for position in 0..<weight.count {
        body(position / inputs, position % inputs, weight.values[place(of: position)])
      }
    }
  }

  /// Whether an input channel that is a constant can go into the biases: wherever no zeros are set
  /// around the input, or it is zero itself.
  func takes(constant: Float) -> Bool {
    constant == 0 || (layer as? any Conv2d)?.convolution.padding ?? 0 == 0
  }
}
