import Foundation

/// The layers of a network as a file says them, to make it again: for a stripped one, whose widths no
/// preset has.
struct NetworkArchitecture: Hashable, Codable, Sendable {
  /// The layers, in order.
  let layers: [ArchitectureLayer]

  /// Describes layers.
  ///
  /// - Throws: `RigLError(.configuration)` for a layer of one's own.
  init(_ layers: Sequential) throws(RigLError) {
    self.layers = try ArchitectureLayer.describe(layers.layers)
  }
}

/// A layer of a ``NetworkArchitecture``; what its kind does not have is nil.
struct ArchitectureLayer: Hashable, Codable, Sendable {
  enum Kind: String, Codable {
    case inputs, linear
    case convolution = "conv2d"
    case depthwise = "depthwise_conv2d"
    case norm = "batch_norm"
    case activation, dropout
    case maximum = "max_pool"
    case average = "average_pool"
    case globalAverage = "global_average_pool"
    case flatten, residual
  }

  let kind: Kind
  var name: String?
  var inputs: Int?
  var outputs: Int?
  var kernel: Int?
  var stride: Int?
  var padding: Int?
  var hasBias: Bool?
  var canBeSparse: Bool?
  var isImage: Bool?
  var momentum: Double?
  var epsilon: Double?
  var probability: Float?
  /// What is applied: by an activation layer, or to a residual sum.
  var function: String?
  /// The slope of a leaky ReLU.
  var slope: Float?
  var before: [ArchitectureLayer]?
  var main: [ArchitectureLayer]?
  var shortcut: [ArchitectureLayer]?

  private enum CodingKeys: String, CodingKey {
    case kind, name, inputs, outputs, kernel, stride, padding, momentum, epsilon, probability
    case function, slope
    case before, main, shortcut
    case hasBias = "bias"
    case canBeSparse = "sparse"
    case isImage = "image"
  }

  init(_ kind: Kind) { self.kind = kind }
}

// MARK: - Of layers

extension ArchitectureLayer {
  fileprivate static func describe(
    _ layers: [any Layer]
  ) throws(RigLError) -> [ArchitectureLayer] {
    var all: [ArchitectureLayer] = []
    for layer in layers {
      if case .sequence(let layers) = layer.parts {
        all += try describe(layers)
      } else {
        all.append(try ArchitectureLayer(layer))
      }
    }
    return all
  }

  private init(_ layer: any Layer) throws(RigLError) {
    switch layer {
    case let layer as any WeightLayer: self = try ArchitectureLayer.weights(layer)
    case let layer as InputSelection:
      self.init(.inputs)
      (inputs, outputs, isImage) = (layer.inputs, layer.used.count, layer.takesPlanes)
    case let layer as BatchNorm:
      self.init(.norm)
      (name, outputs) = (layer.name, layer.channels)
      (momentum, epsilon) = (layer.momentum, layer.epsilon)
    case let layer as any ActivationLayer:
      self.init(.activation)
      describe(layer.activation)
    case let layer as Dropout:
      self.init(.dropout)
      probability = layer.probability
    case let layer as Pool2d:
      self.init(layer.pooling == .maximum ? .maximum : .average)
      name = layer.name
      (kernel, stride, padding) = (layer.window.kernel, layer.window.stride, layer.window.padding)
    case is GlobalAveragePool: self.init(.globalAverage)
    case is Flatten: self.init(.flatten)
    case let layer as Residual:
      self.init(.residual)
      describe(layer.activation)
      before = try ArchitectureLayer.describe(layer.before)
      main = try ArchitectureLayer.describe(layer.main.layers)
      shortcut = try ArchitectureLayer.describe(layer.shortcut.layers)
    default:
      throw RigLError(.configuration, "a network with \(layer.kind) cannot be described in a file")
    }
  }

  private mutating func describe(_ activation: Activation?) {
    function = activation?.name
    if case .leakyReLU(let slope) = activation { self.slope = slope }
  }

  private static func weights(_ layer: any WeightLayer) throws(RigLError) -> ArchitectureLayer {
    var described: ArchitectureLayer
    switch layer {
    case let layer as any Conv2d:
      let shape = layer.convolution
      described = ArchitectureLayer(layer.isDepthwise ? .depthwise : .convolution)
      (described.inputs, described.kernel) = (shape.inputs, shape.kernel)
      (described.stride, described.padding) = (shape.stride, shape.padding)
    case is SparseLinear, is DenseLinear:
      described = ArchitectureLayer(.linear)
      described.inputs = layer.inputs
    default:
      throw RigLError(
        .configuration, "layer \(layer.name): \(layer.kind) cannot be described in a file")
    }
    (described.name, described.outputs) = (layer.name, layer.outputs)
    (described.hasBias, described.canBeSparse) = (layer.hasBias, layer.canBeSparse)
    return described
  }
}

// MARK: - In files

/// What is wrong with a description; the file adds its path.
private struct ArchitectureProblem: Error {
  let what: String
}

extension NetworkArchitecture {
  /// The key in the metadata of a file.
  static let key = "architecture"
  /// The tensor with the inputs that are used.
  static let usedInputs = "inputs.used"

  /// What files that hold a description say of themselves.
  static let format = "swift-rigl stripped 1"

  /// As one line of JSON.
  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The description that a file holds; nil: it holds none.
  ///
  /// - Throws: `RigLError(.data)` if it cannot be read.
  init?(in file: SafetensorsFile) throws(RigLError) {
    guard let text = file.metadata[NetworkArchitecture.key] else { return nil }
    do {
      self = try JSONDecoder().decode(NetworkArchitecture.self, from: Data(text.utf8))
    } catch {
      throw RigLError(.data, "\(file.path): the description of its network cannot be read")
    }
  }

  /// The layers, and how many connections each has in the file.
  ///
  /// - Throws: `RigLError(.data)` for what no network can have.
  func layers(
    in file: SafetensorsFile, input: SampleShape, classes: Int
  ) throws(RigLError) -> (Sequential, connections: [String: Int]) {
    let layers = try makeLayers(in: file, input: input, classes: classes)
    return (layers, try Model.connections(of: layers.weightLayers, in: file))
  }

  /// Whether a layer works on images.
  private var takesPlanes: Bool { layers.contains(where: \.takesPlanes) }

  /// Makes the layers.
  ///
  /// - Throws: `RigLError(.data)` for numbers that no layer can have, and layers that do not fit
  ///   together.
  private func makeLayers(
    in file: SafetensorsFile, input: SampleShape, classes: Int
  ) throws(RigLError) -> Sequential {
    var used: [Int]?
    if layers.first?.kind == .inputs {
      used = try file.int32(NetworkArchitecture.usedInputs).map { Int($0) }
    }
    do {
      var maker = LayerMaker(used: used)
      // As a model takes samples.
      var shape = takesPlanes ? input : SampleShape(channels: input.count)
      let made = Sequential(try maker.make(layers, &shape, depth: 0))
      let output = try made.outputShape(
        of: takesPlanes ? input : SampleShape(channels: input.count))
      guard output.count == classes, !made.weightLayers.isEmpty else {
        throw ArchitectureProblem(what: "\(output.count) outputs for \(classes) classes")
      }
      return made
    } catch {
      let what = (error as? ArchitectureProblem)?.what ?? (error as? RigLError)?.what ?? "\(error)"
      throw RigLError(.data, "\(file.path): the description of its network is damaged: \(what)")
    }
  }
}

extension ArchitectureLayer {
  /// Whether the layer, or one in it, works on images.
  fileprivate var takesPlanes: Bool {
    switch kind {
    case .inputs: isImage ?? false
    case .linear, .activation, .dropout: false
    case .residual:
      [before, main, shortcut].contains { $0?.contains(where: \.takesPlanes) ?? false }
    default: true
    }
  }
}

/// Makes layers of a description, whose every number may be anything.
private struct LayerMaker {
  var used: [Int]?
  var names: Set<String> = []
  var count = 0

  /// Makes layers one after the other, for an input of a shape; gives that of the output back.
  mutating func make(
    _ layers: [ArchitectureLayer]?, _ shape: inout SampleShape, depth: Int
  ) throws -> [any Layer] {
    guard depth <= 16 else { throw ArchitectureProblem(what: "layers of layers of layers") }
    var made: [any Layer] = []
    for layer in layers ?? [] {
      count += 1
      guard count <= 100_000 else { throw ArchitectureProblem(what: "too many layers") }
      made.append(
        layer.kind == .residual
          ? try makeBlock(layer, &shape, depth) : try make(layer, &shape, depth))
    }
    return made
  }

  private mutating func makeBlock(
    _ layer: ArchitectureLayer, _ shape: inout SampleShape, _ depth: Int
  ) throws -> any Layer {
    let before = try make(layer.before, &shape, depth: depth + 1)
    var other = shape
    let main = try make(layer.main, &shape, depth: depth + 1)
    guard !main.isEmpty else {
      throw ArchitectureProblem(what: "a residual block without a main branch")
    }
    return Residual(
      before: before, main: main,
      shortcut: try make(layer.shortcut, &other, depth: depth + 1),
      activation: try activation(of: layer))
  }

  /// Makes a layer, of whose output, and of whose weight, the values can be counted.
  private mutating func make(
    _ layer: ArchitectureLayer, _ shape: inout SampleShape, _ depth: Int
  ) throws -> any Layer {
    let made = try make(layer, depth)
    if let weights = made as? any WeightLayer {
      let inputs = Double(weights.inputs)
      guard inputs <= Double(Int32.max), inputs * Double(weights.outputs) <= 0x1p56 else {
        throw ArchitectureProblem(what: "layer \(weights.name) is too large")
      }
    }
    shape = try made.outputShape(of: shape)
    guard Double(shape.channels) * Double(shape.height) * Double(shape.width) <= 0x1p40 else {
      throw ArchitectureProblem(what: "a layer's output is too large")
    }
    return made
  }

  private mutating func make(_ layer: ArchitectureLayer, _ depth: Int) throws -> any Layer {
    func number(_ value: Int?, _ what: String, in range: ClosedRange<Int>) throws -> Int {
      guard let value, range.contains(value) else {
        throw ArchitectureProblem(
          what: "\(layer.kind.rawValue) \(layer.name ?? ""): \(what) of "
            + "\(value.map { "\($0)" } ?? "nothing")")
      }
      return value
    }
    func side(_ value: Int?, _ what: String) throws -> Int {
      try number(value, what, in: 1...1 << 28)
    }
    func convolution() throws -> (inputs: Int, kernel: Int, stride: Int, padding: Int) {
      (
        try side(layer.inputs, "inputs"), try number(layer.kernel, "a kernel", in: 1...4096),
        try number(layer.stride, "a stride", in: 1...4096),
        try number(layer.padding, "a padding", in: 0...4096)
      )
    }
    switch layer.kind {
    case .inputs: return try inputs(of: layer, depth, inputs: try side(layer.inputs, "inputs"))
    case .linear:
      return SparseLinear(
        try name(of: layer), inputs: try side(layer.inputs, "inputs"),
        outputs: try side(layer.outputs, "outputs"), bias: layer.hasBias ?? true,
        canBeSparse: layer.canBeSparse ?? true)
    case .convolution:
      let (inputs, kernel, stride, padding) = try convolution()
      return SparseConv2d(
        try name(of: layer), inputs: inputs, outputs: try side(layer.outputs, "outputs"),
        kernel: kernel, stride: stride, padding: padding, bias: layer.hasBias ?? false,
        canBeSparse: layer.canBeSparse ?? true)
    case .depthwise:
      let (inputs, kernel, stride, padding) = try convolution()
      return DepthwiseConv2d(
        try name(of: layer), channels: inputs, kernel: kernel, stride: stride, padding: padding)
    case .norm:
      guard let momentum = layer.momentum, let epsilon = layer.epsilon, epsilon >= 0,
        momentum.isFinite, epsilon.isFinite
      else { throw ArchitectureProblem(what: "batch_norm without momentum and epsilon") }
      return BatchNorm(
        try name(of: layer), channels: try side(layer.outputs, "channels"), momentum: momentum,
        epsilon: epsilon)
    case .activation:
      guard let activation = try activation(of: layer) else {
        throw ArchitectureProblem(what: "an activation without a function")
      }
      return activation.layer
    case .dropout:
      guard let probability = layer.probability, probability >= 0, probability < 1 else {
        throw ArchitectureProblem(what: "dropout without a probability")
      }
      return Dropout(probability)
    case .maximum, .average:
      let kernel = try number(layer.kernel, "a kernel", in: 1...15)
      return Pool2d(
        layer.kind == .maximum ? .maximum : .average, kernel: kernel,
        stride: try number(layer.stride, "a stride", in: 1...4096),
        padding: try number(layer.padding, "a padding", in: 0...kernel - 1),
        name: layer.name ?? "pool")
    case .globalAverage: return GlobalAveragePool()
    case .flatten: return Flatten()
    case .residual: throw ArchitectureProblem(what: "a residual block")  // made by `makeBlock`
    }
  }

  /// The function that a layer, or what is applied to a sum, is; nil: none.
  private func activation(of layer: ArchitectureLayer) throws -> Activation? {
    guard let name = layer.function else { return nil }
    let slope = layer.slope ?? 0.01
    let all: [Activation] = [
      .relu, .leakyReLU(slope: slope), .gelu, .silu, .tanh, .sigmoid,
    ]
    guard let activation = all.first(where: { $0.name == name }), slope.isFinite, slope >= 0 else {
      throw ArchitectureProblem(what: "there is no activation '\(shortened(name))'")
    }
    return activation
  }

  /// A layer's name, which no other layer has.
  private mutating func name(of layer: ArchitectureLayer) throws -> String {
    guard let name = layer.name, names.insert(name).inserted else {
      throw ArchitectureProblem(
        what: "\(layer.kind.rawValue): \(layer.name.map { "two are called \($0)" } ?? "no name")")
    }
    return name
  }

  private mutating func inputs(
    of layer: ArchitectureLayer, _ depth: Int, inputs: Int
  ) throws -> any Layer {
    guard depth == 0, let used, used.count == layer.outputs, used.first ?? -1 >= 0,
      used.last ?? inputs < inputs, zip(used, used.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw ArchitectureProblem(what: "the list of inputs that are used") }
    self.used = nil
    return InputSelection(used, of: inputs, takesPlanes: layer.isImage ?? false)
  }
}
