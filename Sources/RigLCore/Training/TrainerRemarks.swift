// What a training tells of itself besides its progress.

extension Trainer {
  /// Says once of each layer that an update has left without a connection.
  func tellOfEmptyLayers() throws(RigLError) {
    for index in 0..<model.sparseLayers.count where model.sparseLayers[index].count == 0 {
      let name = model.sparseLayers[index].name
      guard named.insert("layer \(name)").inserted else { continue }
      try tell(
        .warning(
          "step \(step.weightSteps): layer \(name) has lost all its connections, and its outputs are "
            + "its biases; layer_minimum keeps some in each layer"))
    }
  }

  func tell(of damaged: [DamagedSample]) throws(RigLError) {
    for sample in damaged where named.insert(sample.error.what).inserted {
      try tell(.damaged(sample, count: state.damaged ?? 0))
    }
  }

  /// How updates look at the gradients of several batches; nil: they look at one.
  package var growthRemark: String? {
    guard let sums = step.topology?.sums else { return nil }
    let (passes, bytes) = (sums.passes.count, sums.bytes)
    return "growth looks at the mean gradient of \(sums.batches) batches: a buffer of "
      + "\((bytes + (1 << 20) - 1) >> 20) MiB takes its sums in \(counted(passes, "pass", plural: "passes")) over them"
  }
}

extension TrainingStep {
  /// Passes of an update over its batches.
  var passesOfGrowth: Int { topology?.sums?.passes.count ?? 1 }
}
