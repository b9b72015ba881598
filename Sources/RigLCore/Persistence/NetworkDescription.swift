import Foundation
import Yams

/// A network that was given in code, as a run's files describe it: enough to tell it from another one
/// and to say what its weights are, not to make it again.
package struct NetworkDescription: Hashable, Codable, Sendable {
  /// The name of the Swift type; only for people: a type may be renamed.
  package let type: String
  /// Channels, height and width of a sample.
  package let input: [Int]
  /// The number of classes it was made for.
  package let classes: Int
  /// The layers, in order.
  package let layers: [Layer]

  /// A layer of the description.
  package struct Layer: Hashable, Codable, Sendable {
    /// The Swift type, with what else it computes by: `Dropout(0.1)`.
    package let kind: String
    /// The name, of a layer with weights or batch-norm.
    package let name: String?
    /// The weight's dense shape, of a layer with weights.
    package let weight: [Int]?
    /// Whether there is a bias, of a layer with weights.
    package let hasBias: Bool?
    /// Channels, height and width of a sample of its output.
    package let output: [Int]
    /// What the branches of a residual block share, its main branch and its shortcut.
    package let branches: [[Layer]]?

    private enum CodingKeys: String, CodingKey {
      case kind, name, weight, output, branches
      case hasBias = "with_bias"
    }
  }

  /// Describes layers.
  ///
  /// - Throws: `RigLError(.configuration)` if their shapes do not fit together.
  init(
    _ network: any Network, _ layers: Sequential, input: SampleShape, classes: Int
  ) throws(RigLError) {
    type = String(describing: Swift.type(of: network))
    self.input = input.sides
    self.classes = classes
    // As a model takes it.
    var shape = layers.takesPlanes ? input : SampleShape(channels: input.count)
    self.layers = try NetworkDescription.describe(layers.layers, &shape)
  }

  /// Describes the layers that a network makes.
  init(_ network: any Network, input: SampleShape, classes: Int) throws(RigLError) {
    try self.init(
      network, network.layers(input: input, classes: classes), input: input, classes: classes)
  }

  /// All layers, those of branches too, in order.
  var allLayers: [Layer] { layers.flatMap(\.withBranches) }
}

extension NetworkDescription.Layer {
  fileprivate var withBranches: [Self] {
    [self] + (branches ?? []).flatMap { $0.flatMap(\.withBranches) }
  }

  /// The layer on one line: `SparseLinear hidden [1024, 784]`.
  var text: String {
    ([kind, name, weight.map { "\($0)" }] + [hasBias == false ? "without bias" : nil])
      .compactMap(\.self).joined(separator: " ")
  }
}

extension NetworkDescription {
  private static func describe(
    _ layers: [any RigLCore.Layer], _ shape: inout SampleShape
  ) throws(RigLError) -> [Layer] {
    var described: [Layer] = []
    for layer in layers {
      if case .sequence(let layers) = layer.parts {
        described += try describe(layers, &shape)
        continue
      }
      let output = try layer.outputShape(of: shape)
      let weights = layer as? any WeightLayer
      described.append(
        Layer(
          kind: layer.kind, name: layer.nameInFiles, weight: weights?.shape,
          hasBias: weights?.hasBias, output: output.sides,
          branches: try branches(of: layer, shape)))
      shape = output
    }
    return described
  }

  private static func branches(
    of layer: any RigLCore.Layer, _ input: SampleShape
  ) throws(RigLError) -> [[Layer]]? {
    guard case .branches(let before, let main, let shortcut) = layer.parts else { return nil }
    var shape = input
    let shared = try describe(before, &shape)
    var other = shape
    return [shared, try describe(main, &shape), try describe(shortcut, &other)]
  }
}

extension SampleShape {
  /// Channels, height and width.
  fileprivate var sides: [Int] { [channels, height, width] }
}

// MARK: - Comparing

extension NetworkDescription {
  /// Throws where another network stands in this one's place: one of other layers, or for other
  /// samples. The name of its type does not matter.
  ///
  /// - Parameters:
  ///   - other: the network that was given.
  ///   - path: the file that describes this one.
  func requireSame(as other: NetworkDescription, path: String) throws(RigLError) {
    func refuse(_ own: String, _ others: String) -> RigLError {
      RigLError(
        .configuration,
        "\(path): the run's network has \(own), and the one that is given \(others)",
        hint: "A run goes on, and is opened, with the network that it was begun with.")
    }
    guard input == other.input else {
      throw refuse("samples of \(input) (channels, height, width)", "\(other.input)")
    }
    guard classes == other.classes else { throw refuse("\(classes) classes", "\(other.classes)") }
    let (own, others) = (allLayers, other.allLayers)
    for (place, (mine, theirs)) in zip(own, others).enumerated() where mine != theirs {
      let texts = [mine.text, theirs.text]
      let (first, second) =
        texts[0] == texts[1]
        ? ("\(mine.text) with outputs of \(mine.output)", "outputs of \(theirs.output)")
        : (texts[0], texts[1])
      throw refuse("\(first) as layer \(place + 1)", second)
    }
    guard own.count == others.count else { throw refuse("\(own.count) layers", "\(others.count)") }
  }
}

// MARK: - In files

extension NetworkDescription {
  /// The key of `config.yaml`, and of a checkpoint's or an export's metadata.
  static let key = "custom_network"

  /// The description that metadata hold; nil if the network was not given in code, or by an earlier
  /// version.
  ///
  /// - Throws: `RigLError(.data)` if it cannot be read.
  init?(in metadata: [String: String], path: String) throws(RigLError) {
    guard let text = metadata[NetworkDescription.key] else { return nil }
    do {
      self = try JSONDecoder().decode(NetworkDescription.self, from: Data(text.utf8))
    } catch {
      throw RigLError(.data, "\(path): the description of its network cannot be read")
    }
    guard allLayers.allSatisfy(\.isSound),
      allLayers.reduce(0, { $0 + $1.positions }) <= NetworkDescription.mostPositions
    else {
      throw RigLError(.data, "\(path): the description of its network has shapes that cannot be")
    }
  }

  /// As one line of JSON.
  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

extension NetworkDescription {
  /// Reads the value of ``key`` in a file of settings.
  init(_ node: Node, place: String) throws(RigLError) {
    do {
      self = try NetworkDescription(from: SettingsDecoder(node))
    } catch {
      throw RigLError(
        .configuration, "\(place)\(NetworkDescription.key): not the description of a network",
        hint: "It is written with a run, and not to be changed.")
    }
  }

  /// The value of ``key`` for a file of settings: a layer is a line.
  fileprivate var node: Node {
    [
      "type": NetworkDescription.text(type),
      "input": NetworkDescription.list(input.map { Node("\($0)") }),
      "classes": Node("\(classes)"), "layers": Node(layers.map(\.node)),
    ]
  }

  fileprivate static func text(_ text: String) -> Node {
    Configuration.plain(Node(text, .implicit, .doubleQuoted))
  }

  fileprivate static func list(_ nodes: [Node]) -> Node {
    Node.sequence(Node.Sequence(nodes, .implicit, .flow))
  }
}

extension NetworkDescription.Layer {
  fileprivate var node: Node {
    func list(_ numbers: [Int]) -> Node { NetworkDescription.list(numbers.map { Node("\($0)") }) }
    var pairs: [(Node, Node)] = [("kind", NetworkDescription.text(kind))]
    if let name { pairs.append(("name", NetworkDescription.text(name))) }
    if let weight { pairs.append(("weight", list(weight))) }
    if let hasBias { pairs.append(("with_bias", Node("\(hasBias)"))) }
    pairs.append(("output", list(output)))
    if let branches {
      pairs.append(
        (
          "branches",
          NetworkDescription.list(branches.map { NetworkDescription.list($0.map(\.node)) })
        ))
    }
    return Node.mapping(Node.Mapping(pairs, .implicit, .flow))
  }
}

extension Configuration {
  /// The configuration as a run's file, with the description of a network that was given in Swift.
  func yaml(
    _ options: RunOptions, network: NetworkDescription?
  ) throws(RigLError) -> String {
    let text = try yaml(options)
    guard let network else { return text }
    let mapping: Node = [Node(NetworkDescription.key): network.node]
    do {
      return text + (try Yams.serialize(node: mapping, width: -1))
    } catch {
      throw RigLError(.configuration, "the network cannot be described as YAML: \(error)")
    }
  }
}

extension NetworkDescription {
  /// The most positions of all weights together; their bytes can then be counted.
  private static let mostPositions = 0x1p56
}

extension NetworkDescription.Layer {
  /// Positions of the weight; of a layer without one none.
  fileprivate var positions: Double { weight?.reduce(1) { $0 * Double($1) } ?? 0 }

  /// Whether a weight has positions, and inputs that 32 bits number.
  fileprivate var isSound: Bool {
    guard let weight else { return true }
    guard let outputs = weight.first, weight.allSatisfy({ $0 > 0 }) else { return false }
    return positions / Double(outputs) <= Double(Int32.max)
  }
}
