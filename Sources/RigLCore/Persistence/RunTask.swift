// What a run was trained to do: which network, on which samples. Weights of two runs can be mixed
// where that is the same.

/// The samples of a run.
package struct RunSamples: Sendable {
  /// The training samples as the training saw them, augmented.
  package let augmented: any Dataset
  /// The training samples as they are.
  package let train: any Dataset
  /// The test samples.
  package let test: any Dataset
}

extension SavedRun {
  /// New layers of the run's network, used by no model yet.
  ///
  /// - Throws: `RigLError(.configuration)` for a network that was made in Swift.
  package func makeLayers() throws(RigLError) -> Sequential {
    try configuration.makeNetwork().layers(input: sampleShape, classes: classes)
  }

  /// Throws where another run has other layers, was trained on other samples or with another loss.
  ///
  /// - Parameters:
  ///   - other: the other run.
  ///   - names: what the two are called in an error.
  package func requireSameTask(
    as other: SavedRun, _ names: (String, String)
  ) throws(RigLError) {
    for (run, name) in [(self, names.0), (other, names.1)] where run.isStripped {
      throw RigLError(
        .configuration, "\(name): a stripped network, of other sizes than any other",
        hint: "Give the run that it was made from.")
    }
    for run in [self, other] { try run.requireNamedLoss() }
    let between = "\(names.0) and \(names.1)"
    let (own, others) = (try describedLayers(), try other.describedLayers())
    for place in 0..<max(own.count, others.count) {
      let texts = [own, others].map { place < $0.count ? $0[place].text : "none" }
      guard own.count > place, others.count > place, own[place] == others[place] else {
        throw RigLError(
          .configuration,
          "\(between): other networks: layer \(place + 1) is \(texts[0]), and \(texts[1])"
            + (texts[0] == texts[1] ? " of other outputs" : ""),
          hint: "Weights of one network can only be mixed with those of an equal one.")
      }
    }
    guard configuration.labelSmoothing == other.configuration.labelSmoothing else {
      throw RigLError(
        .configuration,
        "\(between): trained with other losses: label_smoothing is "
          + "\(configuration.labelSmoothing) and \(other.configuration.labelSmoothing)")
    }
    let (data, otherData) = (try dataMetadata(), try other.dataMetadata())
    guard let key = data.keys.sorted().first(where: { data[$0] != otherData[$0] }) else { return }
    throw RigLError(
      .configuration, "\(between): trained on other samples: their \(key) differ",
      hint: "Runs on the same data, with equal train_samples, validation and split, have the same "
        + "samples.")
  }

  private func describedLayers() throws(RigLError) -> [NetworkDescription.Layer] {
    try NetworkDescription(
      try configuration.makeNetwork(), model.layers, input: sampleShape, classes: classes
    ).allLayers
  }

  /// What the checkpoint says of the samples, by what that is.
  private func dataMetadata() throws(RigLError) -> [String: String?] {
    let metadata = try SafetensorsFile(path: checkpointPath).metadata
    return [
      "checksums": metadata["data_checksums"], "classes": metadata["classes"],
      "class names": metadata["class_names"], "normalization": metadata["normalization"],
      "number of training samples": metadata["train_samples"],
      "shapes": metadata["input_shape"],
    ]
  }

  /// Loads the samples that the run was trained and is tested on.
  ///
  /// - Parameter folder: where the data's files are; nil: ``Configuration/data`` says it.
  /// - Throws: `RigLError(.data)` where they have changed since.
  package func loadSamples(folder: String?) throws(RigLError) -> RunSamples {
    func load(_ configuration: Configuration) throws(RigLError) -> TrainingData {
      let data = try TrainingData.load(configuration, folder: folder)
      try data.validate()
      return normalization.map(data.normalized) ?? data
    }
    let data = try load(configuration)
    do throws(RigLError) {
      try DataIdentity(data).requireSame(
        as: try SafetensorsFile(path: checkpointPath).metadata, path: checkpointPath)
    } catch {
      throw RigLError(error.kind, error.what, hint: "The data has changed: bring it back.")
    }
    guard configuration.augmentation != .none else {
      return RunSamples(augmented: data.train, train: data.train, test: data.test)
    }
    var plain = configuration
    plain.augmentation = .none
    return RunSamples(augmented: data.train, train: try load(plain).train, test: data.test)
  }
}
