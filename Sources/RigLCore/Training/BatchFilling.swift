extension BatchPacker {
  /// Creates a packer for a model's batches.
  ///
  /// - Throws: `RigLError(.data)` if the samples are not what the dataset says: of no size, for example.
  package convenience init(_ dataset: any Dataset, for model: Model) throws(RigLError) {
    try self.init(dataset, capacity: model.capacity, layout: model.inputLayout)
  }
}

extension Batch {
  /// Fills the batch with samples of a dataset, by their indices: inputs and labels.
  ///
  ///     var configuration = Configuration()
  ///     configuration.data = "synthetic"
  ///     configuration.trainSamples = 1000
  ///     let images = try TrainingData.load(configuration).train
  ///     let model = try Model(
  ///       Sequential(SparseLinear("output", inputs: 784, outputs: 10)),
  ///       input: images.sampleShape, capacity: 32, connections: ["output": 784])
  ///     let batch = Batch(for: model)
  ///     try batch.fill(from: images, indices: [7, 3, 99])
  ///     print(batch.inputs.samples, "samples, the first of class", batch.labels[0])
  ///
  /// - Parameters:
  ///   - dataset: the samples to choose from.
  ///   - indices: which of them the batch has, in this order.
  ///   - epoch: the pass over the samples, from 0, which augmentations draw by.
  ///   - seed: the seed that they draw by.
  ///   - pool: threads that share the work; nil: none.
  /// - Returns: the samples that could not be read and are not in the batch.
  /// - Throws: `RigLError(.data)` for samples that there are none of, of another shape than the
  ///   model's, or with labels out of range; `.configuration` for more than the batch has room for.
  @discardableResult
  public func fill(
    from dataset: any Dataset, indices: [Int], epoch: Int = 0, seed: UInt64 = 0,
    pool: ThreadPool? = nil
  ) throws(RigLError) -> [DamagedSample] {
    guard !indices.isEmpty else { throw RigLError(.data, "a batch of no samples") }
    guard indices.count <= inputs.capacity else {
      throw RigLError(
        .configuration,
        "\(indices.count) samples for a batch of a model made for \(inputs.capacity)",
        hint: "Make the Model with a larger capacity, or take fewer at once.")
    }
    for index in indices {
      guard index >= 0, index < dataset.count else {
        throw RigLError(.data, "sample \(index) of a dataset of \(dataset.count)")
      }
    }
    try requireShape(dataset.sampleShape)
    let packer = try BatchPacker(dataset, capacity: indices.count, layout: layout)
    let chosen = indices.map { Int64($0) }
    try packer.take(chosen.span, in: SampleContext(seed: seed, epoch: epoch))
    return try fill(from: packer, pool: pool)
  }

  /// Fills the batch with consecutive samples of a dataset, as
  /// ``fill(from:indices:epoch:seed:pool:)``.
  @discardableResult
  public func fill(
    from dataset: any Dataset, _ range: Range<Int>, epoch: Int = 0, seed: UInt64 = 0,
    pool: ThreadPool? = nil
  ) throws(RigLError) -> [DamagedSample] {
    try fill(from: dataset, indices: Array(range), epoch: epoch, seed: seed, pool: pool)
  }

  /// Fills the batch with the samples that a packer has taken; allocates nothing.
  ///
  /// - Parameters:
  ///   - packer: what has chosen the samples.
  ///   - pool: threads that share the work; nil: none.
  /// - Returns: the samples that could not be read and are not in the batch.
  /// - Throws: `RigLError(.memory)` where there is not enough to make a sample; `.configuration` for a
  ///   packer of other samples than the model's.
  @discardableResult
  package func fill(
    from packer: BatchPacker, pool: ThreadPool? = nil
  ) throws(RigLError) -> [DamagedSample] {
    try requireShape(packer.dataset.sampleShape)
    guard packer.layout == layout, packer.samples <= inputs.capacity else {
      throw RigLError(
        .configuration, "the packer is not one for batches of this model",
        hint: "Make it by BatchPacker(dataset, for: model).")
    }
    try packer.prepare(pool)
    take(from: packer, pool: pool)
    return packer.damaged
  }

  /// Takes the samples that a packer has prepared.
  func take(from packer: BatchPacker, pool: ThreadPool?) {
    inputs.samples = packer.samples
    places.take(from: packer, lanes: inputs.lanes)
    labels.count = packer.samples
    if let pool {
      pool.run(chunks: inputs.groups, with: (packer, inputs)) { packed, group, _ in
        packed.0.pack(group: group, into: packed.1)
      }
    } else {
      for group in 0..<inputs.groups { packer.pack(group: group, into: inputs) }
    }
    for sample in 0..<packer.samples { labels[sample] = Int(packer.labels[sample]) }
  }

  /// Throws for samples that the model does not take; networks of vectors take any shape of as many
  /// values.
  private func requireShape(_ shape: SampleShape) throws(RigLError) {
    guard layout == .vectors ? shape.count == inputs.shape.count : shape == inputs.shape else {
      throw RigLError(
        .data,
        "samples of \(shape.written) (channels, height, width); the model takes "
          + inputs.shape.written)
    }
  }
}
