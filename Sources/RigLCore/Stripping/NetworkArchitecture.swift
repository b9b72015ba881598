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

// MARK: - In files

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
    do throws(RigLError) {
      var maker = LayerMaker(used: used)
      let made = Sequential(try maker.make(layers, depth: 0))
      // As a model takes samples.
      let input = made.takesPlanes ? input : SampleShape(channels: input.count)
      try made.requireCountable(input: input)
      let output = try made.outputShape(of: input)
      guard output.count == classes, !made.weightLayers.isEmpty else {
        throw RigLError(.data, "\(output.count) outputs for \(classes) classes")
      }
      return made
    } catch {
      throw RigLError(
        .data, "\(file.path): the description of its network is damaged: \(error.what)")
    }
  }
}

/// Makes layers of a description, whose every number may be anything.
private struct LayerMaker {
  var used: [Int]?
  private var names: Set<String> = []
  private var count = 0

  init(used: [Int]?) { self.used = used }

  /// Makes layers one after the other.
  mutating func make(
    _ layers: [ArchitectureLayer]?, depth: Int
  ) throws(RigLError) -> [any Layer] {
    guard depth <= 16 else { throw RigLError(.data, "layers of layers of layers") }
    var made: [any Layer] = []
    for layer in layers ?? [] {
      count += 1
      guard count <= 100_000 else { throw RigLError(.data, "too many layers") }
      let new = try make(layer, depth)
      if let name = new.nameInFiles, !names.insert(name).inserted {
        throw layer.problem("two have this name")
      }
      made.append(new)
    }
    return made
  }

  /// Makes a layer: the one table of the kinds that files have.
  private mutating func make(
    _ layer: ArchitectureLayer, _ depth: Int
  ) throws(RigLError) -> any Layer {
    switch layer.kind {
    case .inputs:
      // There is one, before all others.
      defer { used = nil }
      return try InputSelection(layer, used: depth == 0 ? used : nil)
    case .linear: return try SparseLinear(layer)
    case .convolution: return try SparseConv2d(layer)
    case .depthwise: return try DepthwiseConv2d(layer)
    case .norm: return try BatchNorm(layer)
    case .activation:
      guard let activation = try layer.activation() else { throw layer.problem("no function") }
      return activation.layer
    case .dropout: return try Dropout(layer)
    case .maximum: return try Pool2d(.maximum, layer)
    case .average: return try Pool2d(.average, layer)
    case .globalAverage: return GlobalAveragePool()
    case .flatten: return Flatten()
    case .residual:
      let before = try make(layer.before, depth: depth + 1)
      let main = try make(layer.main, depth: depth + 1)
      guard !main.isEmpty else { throw layer.problem("a block without a main branch") }
      return Residual(
        before: before, main: main, shortcut: try make(layer.shortcut, depth: depth + 1),
        activation: try layer.activation())
    }
  }
}

extension Sequential {
  /// Throws where the values of a layer's output, or of its weight, cannot be counted.
  fileprivate func requireCountable(input: SampleShape) throws(RigLError) {
    try forEachLayer(input) { (layer, shape) throws(RigLError) in
      if let weights = layer as? any WeightLayer {
        let inputs = Double(weights.inputs)
        guard inputs <= Double(Int32.max), inputs * Double(weights.outputs) <= 0x1p56 else {
          throw RigLError(.data, "layer \(weights.name) is too large")
        }
      }
      let output = try layer.outputShape(of: shape)
      guard Double(output.channels) * Double(output.height) * Double(output.width) <= 0x1p40 else {
        throw RigLError(.data, "a layer's output is too large")
      }
    }
  }
}
