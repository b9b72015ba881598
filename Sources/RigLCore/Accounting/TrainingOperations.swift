// What a training and a network have cost, as one number each.

extension Configuration {
  /// Floating-point operations of the whole training, by ``Accounting/real``.
  ///
  /// - Parameters:
  ///   - input: the shape of a sample.
  ///   - classes: the number of classes.
  ///   - samples: training samples.
  /// - Throws: `RigLError(.configuration)` for a configuration that cannot be used.
  package func trainingFLOPs(
    input: SampleShape, classes: Int, samples: Int
  ) throws(RigLError) -> Double {
    let report = try accountingReport(input: input, classes: classes, samples: samples)
    let multiplier = report.trainMultiplier.of(method)
    // Its multipliers are of the dense network's training of normal length.
    let seen = Double(unscaledSteps(samples: samples) * batchSize * accumulation)
    return multiplier * 3 * report.denseFlops * seen
  }
}

extension AccountingReport.TrainMultiplier {
  /// The multiplier of a method.
  package func of(_ method: Configuration.Method) -> Double {
    switch method {
    case .dense, .smallDense: dense
    case .static: self.static
    case .snip: snip
    case .set: set
    case .snfs: snfs
    case .rigl, .riglInverted: rigl
    case .pruning: pruning
    case .granet: granet
    case .gse: gse
    case .lottery: lottery
    }
  }
}

extension Model {
  /// Floating-point operations of the prediction of one sample, by the connections that there are.
  package var inferenceFLOPs: Double {
    weightLayers.reduce(0) { total, layer in
      let accounted = layer.accounted.withConnections(
        layer.count, isStoredSparse: layer.isStoredSparse)
      return total + Accounting.real.cost(of: accounted).flops
    }
  }
}
