import RigLCore

/// A network of the connections that either of two others has, at a point of a path between them.
///
/// Biases and batch-norm's parameters move along the path as weights do.
package final class PathModel {
  package let model: Model
  /// The control point (θ) of a curve, parameter by parameter as in the model; the middle at first.
  package let controls: [Parameter]
  /// Each parameter of both ends, where the model has its values in memory.
  private let ends: [(first: [Float], second: [Float])]
  /// The running averages of both ends.
  private let averages: [(first: [Float], second: [Float])]

  /// Makes a model for batches of up to `capacity` samples.
  ///
  /// - Throws: `RigLError`, as ``Model``.
  package init(
    _ first: SavedRun, _ second: SavedRun, capacity: Int
  ) throws(RigLError) {
    let layers = try first.makeLayers()
    let described = Dictionary(
      uniqueKeysWithValues: layers.weightLayers.map { ("\($0.name).weight", $0.name) })
    let unions = zip(first.model.parameters, second.model.parameters).map { one, other in
      SparseUnion(
        first.model.part(one), second.model.part(other), of: one.shape.reduce(1, *))
    }
    var connections: [String: Int] = [:]
    for (parameter, union) in zip(first.model.parameters, unions) {
      if let layer = described[parameter.name] { connections[layer] = union.count }
    }
    model = try Model(
      layers, input: first.sampleShape, capacity: capacity, connections: connections)
    for layer in model.sparseLayers {
      guard let index = model.parameters.firstIndex(where: { $0 === layer.parameter }) else {
        continue
      }
      let places = unions[index].positions ?? Array(0..<layer.positions)
      try layer.setConnections(at: places, weights: unions[index].first)
    }
    let model = model
    ends = zip(model.parameters, unions).map { parameter, union in
      (
        model.inStorageOrder(union.first, of: parameter),
        model.inStorageOrder(union.second, of: parameter)
      )
    }
    averages = zip(first.model.averages, second.model.averages).map {
      ($0.values.array(), $1.values.array())
    }
    controls = model.parameters.map {
      Parameter(name: $0.name, shape: $0.shape, count: $0.count, decays: false)
    }
    let middle = LandscapePath.linear.mixture(at: 0.5)
    for (index, control) in controls.enumerated() { mix(index, middle, into: control) }
  }

  /// Sets the weights to a mixture of both ends and the control point.
  package func set(to mixture: LandscapePath.Mixture) {
    for (index, parameter) in model.parameters.enumerated() {
      mix(index, mixture, into: parameter)
    }
    model.weightsDidChange()
  }

  /// Takes the running averages of one of the ends.
  func takeAverages(ofFirst isFirst: Bool) {
    for (average, ends) in zip(model.averages, averages) {
      let values = isFirst ? ends.first : ends.second
      for (channel, value) in values.enumerated() { average.values[channel] = value }
    }
  }

  /// Writes a mixture, added up in double precision: at the ends it is exactly theirs.
  private func mix(_ index: Int, _ mixture: LandscapePath.Mixture, into target: Parameter) {
    let (first, second) = ends[index]
    let (control, values) = unsafe (controls[index].values.base, target.values.base)
    for place in 0..<target.count {
      let ends = mixture.first * Double(first[place]) + mixture.second * Double(second[place])
      unsafe values[place] = Float(ends + mixture.control * Double(control[place]))
    }
  }
}

extension Model {
  /// A parameter's values in the order of positions, and where they are.
  fileprivate func part(_ parameter: Parameter) -> SparseUnion.Part {
    guard let layer = sparseLayers.first(where: { $0.parameter === parameter }) else {
      return SparseUnion.Part(values: inPositionOrder(parameter, parameter.values).array())
    }
    return SparseUnion.Part(
      positions: layer.connectedPositions(),
      values: layer.inPositionOrder(parameter.values).array())
  }

  /// Values in the order of positions, as the model has a parameter's in memory.
  fileprivate func inStorageOrder(_ ordered: [Float], of parameter: Parameter) -> [Float] {
    var stored = [Float](repeating: 0, count: parameter.count)
    guard let layer = weightLayers.first(where: { $0.weight === parameter }) else { return ordered }
    if let connections = layer.connections {
      connections.forEachConnection { index, _, place in stored[place] = ordered[index] }
    } else {
      for (position, value) in ordered.enumerated() { stored[layer.place(of: position)] = value }
    }
    return stored
  }
}
