/// A layer as the file of a stripped network has it, to make it again; what its kind does not have is
/// nil.
package struct ArchitectureLayer: Hashable, Codable, Sendable {
  /// The name of a kind in files.
  package enum Kind: String, Codable, Sendable {
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
  /// A layer with weights.
  init(_ kind: Kind, _ layer: some WeightLayer) {
    self.init(kind)
    (name, outputs) = (layer.name, layer.outputs)
    (hasBias, canBeSparse) = (layer.hasBias, layer.canBeSparse)
  }

  /// Takes the function that the layer is, or applies to a sum.
  mutating func describe(_ activation: Activation?) {
    function = activation?.name
    if case .leakyReLU(let slope) = activation { self.slope = slope }
  }

  /// Layers, and those that they are made of.
  ///
  /// - Throws: `RigLError(.configuration)` for a layer of one's own.
  static func describe(_ layers: [any Layer]) throws(RigLError) -> [ArchitectureLayer] {
    var all: [ArchitectureLayer] = []
    for layer in layers {
      if case .sequence(let layers) = layer.parts {
        all += try describe(layers)
        continue
      }
      guard var described = layer.planned?.architecture else {
        let name = layer.nameInFiles.map { " (\($0))" } ?? ""
        throw RigLError(
          .configuration, "a network with \(layer.kind)\(name) cannot be described in a file")
      }
      if case .branches(let before, let main, let shortcut) = layer.parts {
        described.before = try describe(before)
        described.main = try describe(main)
        described.shortcut = try describe(shortcut)
      }
      all.append(described)
    }
    return all
  }
}

// MARK: - To make layers of

extension ArchitectureLayer {
  /// A number that the layer has to have.
  ///
  /// - Throws: `RigLError(.data)` if there is none, or one that no layer can have.
  func number(
    _ value: Int?, _ what: String, in range: ClosedRange<Int>
  ) throws(RigLError) -> Int {
    guard let value, range.contains(value) else {
      throw problem("\(what) of \(value.map { "\($0)" } ?? "nothing")")
    }
    return value
  }

  /// A number of inputs, outputs or channels.
  func side(_ value: Int?, _ what: String) throws(RigLError) -> Int {
    try number(value, what, in: 1...1 << 28)
  }

  /// The name, of a layer that has to have one.
  func requiredName() throws(RigLError) -> String {
    guard let name else { throw problem("no name") }
    return name
  }

  /// The function that the layer is, or applies to a sum; nil: none.
  func activation() throws(RigLError) -> Activation? {
    guard let name = function else { return nil }
    let slope = slope ?? 0.01
    let all: [Activation] = [
      .relu, .leakyReLU(slope: slope), .gelu, .silu, .tanh, .sigmoid,
    ]
    guard let activation = all.first(where: { $0.name == name }), slope.isFinite, slope >= 0 else {
      throw problem("there is no activation '\(shortened(name))'")
    }
    return activation
  }

  /// An error that a damaged description is; the file adds its path.
  func problem(_ what: String) -> RigLError {
    RigLError(.data, "\(kind.rawValue)\(name.map { " \(shortened($0))" } ?? ""): \(what)")
  }
}
