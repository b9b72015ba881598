/// Turns layers into the stages that run: decides which of them run by themselves, which are applied
/// by the stages next to them, and in which order stages run forward and backward.
///
/// It is the only place that asks which layer stands where. Elementwise layers after a product become
/// its epilogue; batch-norm and activation between stages on planes are applied by the one that reads next,
/// and their statistics are summed by the one that writes before; the sum of a residual block is
/// written by the main branch's last stage where that is all there is to it.
struct Fuser {
  var nodes: [PlanNode] = []
  var blocks: [PlanBlock] = []
  /// The batch-norms, each with the shape of its input.
  private(set) var norms: [(layer: BatchNorm, input: SampleShape)] = []
  /// The tensors between stages; the first is the network's input.
  private(set) var values: [PlanValue] = []
  let numbers = LayerNumbers()
  private let strips: Int

  /// The nodes and tensors that a run of layers came to.
  struct Run {
    /// The value that the last stage writes.
    var output: Int
    /// The batch-norm at the end that is left to whoever asked.
    var trailingNorm: Int?
    /// The stages, by number, in the order of a forward pass, and of a backward pass.
    var forward: [Int] = []
    var backward: [Int] = []
    /// The stages in the order in which layers are written down: the main branch before the shortcut.
    var written: [Int] = []
    /// Stages and batch-norms in that order, for their parameters.
    var owners: [Owner] = []

    /// An owner of parameters: a node or a batch-norm.
    enum Owner {
      case stage(Int)
      case norm(Int)
    }

    init(output: Int, trailingNorm: Int? = nil) {
      (self.output, self.trailingNorm) = (output, trailingNorm)
    }

    /// A single stage.
    init(single node: Int, output: Int) {
      self.output = output
      (forward, backward, written, owners) = ([node], [node], [node], [.stage(node)])
    }

    mutating func append(_ other: Run) {
      forward += other.forward
      backward = other.backward + backward
      written += other.written
      owners += other.owners
      output = other.output
    }
  }

  /// Fuses a network's layers, for input of a shape, in so many strips.
  ///
  /// - Throws: `RigLError(.configuration)` where layers do not fit together.
  init(
    _ layers: Sequential, input: SampleShape, capacity: Int, strips: Int
  ) throws(RigLError) {
    self.strips = strips
    values = [PlanValue(shape: input, capacity: capacity, strips: strips)]
    run = Run(output: 0)
    run = try add(
      layers.layers, of: 0, from: 0, through: PlanNode.Reading(), leavesTrailingNorm: false)
  }

  /// The whole network's stages.
  private(set) var run: Run

  // MARK: - A sequence

  /// Adds the stages of layers one after the other, which read `input` through what is given.
  mutating func add(
    _ layers: [any Layer], of whole: Int, from input: Int, through reading: PlanNode.Reading,
    leavesTrailingNorm: Bool
  ) throws(RigLError) -> Run {
    let (items, owned, trailing) = try fuse(
      layers, of: whole, from: input, through: reading, leavesTrailingNorm: leavesTrailingNorm)
    var run = Run(output: input, trailingNorm: trailing)
    var owners = owned.map { $0.map { [Run.Owner.norm($0)] } ?? [] }
    for item in items {
      let part = try add(item, from: run.output)
      run.append(part)
      if let place = item.place { owners[place] = part.owners }
    }
    run.owners = owners.flatMap(\.self)
    return run
  }

  /// Decides who applies what.
  ///
  /// - Returns: what runs; for each layer, the batch-norm that it is, if it is one; and the
  ///   batch-norm that is left over.
  private mutating func fuse(
    _ layers: [any Layer], of whole: Int, from input: Int, through reading: PlanNode.Reading,
    leavesTrailingNorm: Bool
  ) throws(RigLError) -> (items: [FusedItem], norms: [Int?], trailing: Int?) {
    var sequence = FusedSequence(reading)
    var (shape, norms) = (values[input].shape, [Int?](repeating: nil, count: layers.count))
    for (place, layer) in layers.enumerated() {
      // Every layer's, whether it is fused or not.
      let number = numbers.number(ofPart: place + 1, of: whole)
      if let norm = layer as? BatchNorm {
        norms[place] = add(norm, shape)
        let isAlone = place > 0 && layers[place - 1] is any Conv2d
        sequence.add(norm: self.norms.count - 1, number, isAlone: isAlone)
      } else {
        var leading: Int?
        if let block = layer as? Residual, let norm = block.before.first as? BatchNorm {
          leading = add(norm, shape)
        }
        sequence.add(layer, number, place: place, leadingNorm: leading)
      }
      shape = try layer.outputShape(of: shape)
    }
    let trailing = sequence.finish(leavesTrailingNorm: leavesTrailingNorm)
    return (sequence.items, norms, trailing)
  }

  private mutating func add(_ norm: BatchNorm, _ input: SampleShape) -> Int {
    norms.append((norm, input))
    return norms.count - 1
  }

  // MARK: - One item

  private mutating func add(_ item: FusedItem, from input: Int) throws(RigLError) -> Run {
    if case .sequence(let layers) = item.layer?.parts {
      return try add(
        layers, of: item.number, from: input, through: PlanNode.Reading(),
        leavesTrailingNorm: false)
    }
    if let block = item.layer as? Residual { return try add(block, item, from: input) }
    var node = PlanNode(operation: item.operation, number: item.number)
    (node.input, node.output) = (input, try addValue(after: item.layer, input))
    (node.reading, node.epilogue) = (item.reading, item.epilogue)
    (node.outputNorm, node.takesNormGradient) = (item.outputNorm, item.takesNormGradient)
    node.canFold = item.canFold
    if node.epilogue.activation.needsInput, node.fusing.contains(.appliesEpilogue) {
      node.kept = addKeptValue(like: node.output)
    }
    return Run(single: add(node), output: node.output)
  }

  mutating func add(_ node: PlanNode) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }

  /// A value for what an activation is applied to before it becomes another value.
  mutating func addKeptValue(like value: Int) -> Int {
    values.append(values[value])
    return values.count - 1
  }

  /// A value for a layer's output.
  mutating func addValue(after layer: (any Layer)?, _ input: Int) throws(RigLError) -> Int {
    let from = values[input]
    let gathers = from.strips > 1 && layer?.planned?.gathersStrips == true
    values.append(
      PlanValue(
        shape: try layer?.outputShape(of: from.shape) ?? from.shape,
        capacity: gathers ? from.capacity / from.strips : from.capacity,
        strips: gathers ? 1 : from.strips))
    return values.count - 1
  }
}
