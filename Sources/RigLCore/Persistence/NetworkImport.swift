/// A network from a safetensors file, as a run at step 0: to evaluate, predict with, export or go on
/// training with.
///
///     let demo = try SavedRun("runs/demo")
///     try demo.export(to: "demo.safetensors", isDense: true)
///     let network = try NetworkImport("demo.safetensors", demo.configuration)
///     let run = try network.write(RunOptions())
///     print("in", run.path)
///
/// The run computes what the file's network does. A weight that the file has as `NAME.values`,
/// `NAME.columns` and `NAME.row_offsets` has those connections. A weight with its zeros has a
/// connection where it is not zero, if the settings make its layer sparse; it is stored densely where
/// they leave the layer dense, where less than one weight in a hundred is zero by chance, and where
/// all are.
public final class NetworkImport {
  /// The settings of the run: those that were given, with the file's own connections in
  /// ``Configuration/layerSparsities`` where they are not what the settings come to, and `dense` as
  /// the method if no layer is sparse.
  package let configuration: Configuration
  /// The network, with the file's weights.
  public let model: Model
  /// The shape of a sample.
  package let sampleShape: SampleShape
  /// The number of classes.
  package let classes: Int
  /// The normalization of pixels before the network sees them; nil: unknown.
  package let normalization: PixelNormalization?
  /// The path of the file.
  package let path: String
  /// What the run's files will say of a network that was given in Swift.
  private let customNetwork: NetworkDescription?

  /// Positions of all weights.
  public var positions: Int { model.weightLayers.reduce(0) { $0 + $1.inputs * $1.outputs } }

  /// Reads a network.
  ///
  /// - Parameters:
  ///   - path: a safetensors file with tensors named as the network's parameters, of `F32`, `F16` or
  ///     `BF16`. Nothing else may be in it, but optimizer state and `num_batches_tracked`.
  ///   - configuration: says the network, and how to go on training.
  ///   - network: a network of one's own; nil: the configuration's.
  ///   - input: the shape of a sample; nil: what the file says, if it was exported with the same
  ///     data, or that of the configuration's data.
  ///   - dataFolder: where the data's files are, if they are needed to know that.
  ///   - prunes: keep only as many weights of each layer as the configuration leaves it, those of
  ///     largest magnitude (ties to the lower position).
  /// - Throws: `RigLError(.missingFile)` or `.data` for a file that cannot be read or is another
  ///   network's; `.configuration` for settings that cannot be used, or that make layers dense which
  ///   the file has without their zeros.
  public init(
    _ path: String, _ configuration: Configuration, network: (any Network)? = nil,
    input: SampleShape? = nil, dataFolder: String? = nil, prunes: Bool = false
  ) throws(RigLError) {
    try configuration.validate(exceptNetwork: network != nil)
    self.path = path
    let file = try SafetensorsFile(path: path)
    try file.verifyChecksum()
    try file.requireNotStripped()
    let named = try configuration.namedNetwork(unlessGiven: network)
    let saved = try NetworkDescription(in: file.metadata, path: path)
    guard let used = network ?? named else { throw NetworkImport.needsNetwork(path, saved) }
    let samples = try NetworkImport.samples(file, configuration, input, dataFolder)
    sampleShape = samples.shape
    var configuration = configuration
    configuration.customRules = CustomRules()
    if let input, let format = configuration.dataFormat, format.preparation == .resized {
      guard input.channels == 3, input.height == input.width else {
        throw RigLError(
          .configuration, "input \(input.written): \(format.name) are squares of three channels")
      }
      configuration.imageSize = input.height
    }
    try configuration.normalization.requireChannels(samples.shape.channels)
    // The data's numbers for other channels are not this input's.
    normalization = samples.normalization.flatMap {
      [1, samples.shape.channels].contains($0.means.count) ? $0 : nil
    }
    classes = try NetworkImport.classes(file, used, sampleShape)
    let layers = used.layers(input: sampleShape, classes: classes)
    let (shape, classes) = (sampleShape, classes)
    try saved?.requireSame(
      as: NetworkDescription(used, layers, input: shape, classes: classes), path: path)
    customNetwork = try network.flatMap { (network) throws(RigLError) in
      try configuration.take(network, layers, named: named, input: shape, classes: classes)
    }
    let allocation = try configuration.allocate(layers.weightLayers)
    var connections: [String: Int] = [:]
    for (layer, planned) in zip(layers.weightLayers, allocation.layers) {
      connections[layer.name] =
        try NetworkImport.connections(of: layer, planned, in: file, prunes: prunes)
    }
    // A batch of one: nothing goes through this model but weights.
    model = try Model(
      layers, input: shape, capacity: 1, connections: connections, isTraining: false)
    try model.requireNothingElse(in: file)
    try model.take(file)
    self.configuration = configuration.describing(
      model.weightLayers.map(\.count), of: layers.weightLayers, allocation)
    guard try self.configuration.allocate(layers.weightLayers).connections == model.connections
    else {
      throw RigLError(
        .configuration, "\(path): has sparse layers, which method: dense does not",
        hint: "Choose another method, or export the network with --dense.")
    }
  }

  /// The error for a file whose network was made in Swift and is not given.
  private static func needsNetwork(_ path: String, _ description: NetworkDescription?) -> RigLError
  {
    let type = description.map { " (\($0.type))" } ?? ""
    return RigLError(
      .configuration,
      "\(path): the file's network\(type) was made in Swift, and only Swift can make it again",
      hint: "Read it there, with NetworkImport(…, network: …), or into a model of its layers with "
        + "Model(…, savedAt: …).")
  }

  /// The settings that an exported file carries; nil if it is another program's.
  ///
  /// - Throws: `RigLError(.missingFile)` or `.data` for a file that cannot be read.
  package static func configuration(of path: String) throws(RigLError) -> Configuration? {
    let file = try SafetensorsFile(path: path)
    try file.requireNotStripped()
    return try file.metadata["configuration"].map { (text) throws(RigLError) in
      do throws(RigLError) {
        return try Configuration(yaml: text, path: path)
      } catch {
        // Nobody's setting is wrong but the file's.
        throw RigLError(.data, error.what, hint: error.hint)
      }
    }
  }

  /// Writes a new run's folder; its checkpoint is of step 0, with an optimizer that has not moved.
  ///
  /// - Parameter options: where the folder is to be (nil: a new one below `runs`), and the folder of
  ///   the data.
  /// - Throws: `RigLError(.configuration)` for a folder that exists; `.write` if the disk is full, and then
  ///   nothing is left.
  public func write(_ options: RunOptions) throws(RigLError) -> RunFolder {
    var options = options
    (options.startFrom, options.topology) = (nil, [])
    let text = try configuration.yaml(options, network: customNetwork)
    let folder: RunFolder
    if let path = options.output {
      folder = try RunFolder.create(at: path, configuration: text)
    } else {
      folder = try RunFolder.create(named: configuration.network, configuration: text)
    }
    do throws(RigLError) {
      let lock = try folder.lock()
      _ = try MetricsLog.create(at: folder.metricsPath)
      let optimizer = OptimizerState(configuration.makeOptimizer(), parameters: model.parameters)
      var metadata = try TrainingState().metadata(
        configuration, DataIdentity(input: sampleShape, classes: classes), normalization)
      metadata[NetworkDescription.key] = customNetwork?.json
      metadata[Model.activationsKey] = model.layers.activationNames
      try folder.checkpoints().write(
        step: 0, tensors: model.tensors(optimizer), metadata: metadata
      ) { (writer) throws(RigLError) in try model.write(to: &writer, optimizer) }
      withExtendedLifetime(lock) {}
    } catch {
      folder.removeWhatCreationLeft()
      throw error
    }
    return folder
  }
}

// MARK: - What the file says

extension NetworkImport {
  /// The shape of a sample, and what its pixels go through.
  private static func samples(
    _ file: SafetensorsFile, _ configuration: Configuration, _ given: SampleShape?,
    _ dataFolder: String?
  ) throws(RigLError) -> (shape: SampleShape, normalization: PixelNormalization?) {
    var input = given
    if let text = file.metadata["configuration"] {
      let exported = try Configuration(yaml: text, path: file.path)
      if exported.hasSamples(as: configuration),
        let shape = SampleShape(file.metadata["input_shape"])
      {
        input = input ?? shape
        if exported.normalization == configuration.normalization {
          return (input ?? shape, try SavedRun.normalization(of: file, channels: shape.channels))
        }
      }
    }
    let asked = configuration.normalization.pixels
    if let input, let asked { return (input, asked) }
    if let (shape, normalization) = configuration.knownSamples {
      return (input ?? shape, asked ?? normalization)
    }
    // How samples are split does not matter.
    var whole = configuration
    whole.validation = 0
    let data = try TrainingData.load(whole, folder: dataFolder)
    return (input ?? data.train.sampleShape, data.normalization)
  }

  /// The outputs of the network's last layer.
  private static func classes(
    _ file: SafetensorsFile, _ network: any Network, _ input: SampleShape
  ) throws(RigLError) -> Int {
    guard let last = network.layers(input: input, classes: 1).weightLayers.last else {
      throw RigLError(.configuration, "the network has no weights to import")
    }
    let name = "\(last.name).weight"
    if let tensor = file[name], let rows = tensor.shape.first, (1...1 << 24).contains(rows) {
      return rows
    }
    if let tensor = file["\(name).row_offsets"], (2...1 << 24).contains(tensor.count) {
      return tensor.count - 1
    }
    let others = file.tensors.map(\.name)
    throw RigLError(
      .data, "\(file.path): tensor \(name) is not in the file",
      hint: file.hintOfNames
        ?? (nearest(to: name, in: others).map { "The nearest is \($0). " } ?? "")
        + "Is it the network of the settings? Names and shapes: docs/interchange.md.")
  }

  /// How many connections a layer has in the file.
  private static func connections(
    of layer: any WeightLayer, _ planned: LayerSparsity, in file: SafetensorsFile, prunes: Bool
  ) throws(RigLError) -> Int {
    let name = "\(layer.name).weight"
    if let values = file["\(name).values"] {
      if prunes {
        throw RigLError(
          .configuration, "\(file.path): \(name) is there without its zeros, and cannot be pruned",
          hint: "Export the network with --dense.")
      }
      guard (1...planned.positions).contains(values.count) else {
        throw RigLError(
          .data, "\(file.path): \(name) has \(values.count) connections of \(planned.positions)")
      }
      return values.count
    }
    if prunes || planned.connections == planned.positions { return planned.connections }
    // Before there is memory for it: the file is then as large.
    try file.require(name, shape: layer.shape)
    var dense = AlignedBuffer<Float>(count: planned.positions)
    try file.readFloats(name, shape: layer.shape, into: &dense)
    var count = 0
    for position in 0..<dense.count where dense[position] != 0 { count += 1 }
    let zeros = planned.positions - count
    let isSparse = count > 0 && (count == planned.connections || zeros * 100 >= planned.positions)
    return isSparse ? count : planned.positions
  }
}

extension Configuration {
  /// The configuration by which a network with so many connections in each of its layers is made,
  /// where this one comes to the planned ones.
  func describing(
    _ counts: [Int], of layers: [any WeightLayer], _ planned: SparsityAllocation
  ) -> Configuration {
    guard !method.isDense else { return self }
    var copy = self
    if zip(counts, planned.layers).allSatisfy({ $0 == $1.positions }) {
      copy.method = .dense
      (copy.layerSparsities, copy.layerSparsityFactors) = ([:], [:])
      return copy
    }
    return mapping(counts, of: layers, planned)
  }

  /// The configuration with a sparsity in ``layerSparsities`` for each layer that can be sparse, which
  /// comes to so many connections; this one if it comes to them.
  func mapping(
    _ counts: [Int], of layers: [any WeightLayer], _ planned: SparsityAllocation
  ) -> Configuration {
    if zip(counts, planned.layers).allSatisfy({ $0 == $1.connections }) { return self }
    var copy = self
    (copy.layerSparsities, copy.layerSparsityFactors) = ([:], [:])
    for (count, (layer, planned)) in zip(counts, zip(layers, planned.layers))
    where layer.canBeSparse {
      copy.layerSparsities[layer.name] = sparsity(leaving: count, of: planned.positions)
    }
    return copy
  }

  /// Whether samples look as another configuration's do, whatever numbers normalise them.
  fileprivate func hasSamples(as other: Configuration) -> Bool {
    data == other.data && padTo == other.padTo && imageSize == other.imageSize
      && perImageStandardization == other.perImageStandardization
  }

  /// What samples are like, where the name of the data says it.
  fileprivate var knownSamples: (SampleShape, PixelNormalization)? {
    guard let format = dataFormat, let normalization = format.normalization,
      var shape = format.sampleShape(self)
    else { return nil }
    if format.preparation == .padded, let padTo {
      (shape.height, shape.width) = (max(shape.height, padTo), max(shape.width, padTo))
    }
    return (shape, normalization)
  }
}

extension SampleShape {
  /// The shape that metadata says: `3,224,224`.
  init?(_ text: String?) {
    self.init(text ?? "", separator: ",")
  }

  /// The shape that channels, height and width say in a text; nil if they do not, or if a sample
  /// would have more than 2²⁸ values.
  package init?(_ text: String, separator: Character) {
    let sides = text.split(separator: separator, omittingEmptySubsequences: false).map {
      Int($0) ?? 0
    }
    // The product is 2⁶⁰ at most: it does not overflow.
    guard sides.count == 3, sides.allSatisfy({ (1...1 << 20).contains($0) }),
      sides[0] * sides[1] * sides[2] <= 1 << 28
    else { return nil }
    self.init(channels: sides[0], height: sides[1], width: sides[2])
  }
}
