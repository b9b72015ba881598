import RigLCore
import Testing

@Suite struct SparsityDistributionTests {
  static let lenet = [
    SparsifiableLayer(name: "layer1", shape: [300, 784], isFirst: true),
    SparsifiableLayer(name: "layer2", shape: [100, 300]),
    SparsifiableLayer(name: "layer3", shape: [10, 100], isLast: true),
  ]

  @Test func uniformKeepsTheFirstLayerDense() throws {
    let allocation = try SparsityDistribution(.uniform, sparsity: 0.98).allocate(over: Self.lenet)
    #expect(allocation.layers.map(\.sparsity) == [0, 0.98, 0.98])
    #expect(allocation.layers.map(\.connections) == [235_200, 600, 20])
    #expect(allocation.epsilon == nil)
    #expect(allocation.denseSet.isEmpty)
    // 98 % was asked for, 88 % of the weights stay.
    #expect(allocation.connections == 235_820 && allocation.positions == 266_200)
    #expect(abs(allocation.sparsity - 30_380.0 / 266_200) < 1e-15)
    #expect(Int(100 * (1 - allocation.sparsity)) == 88)
  }

  @Test(arguments: [
    (false, false, [235_200, 600, 20]),
    (true, false, [4_704, 600, 20]),
    (false, true, [235_200, 600, 1_000]),
    (true, true, [4_704, 600, 1_000]),
  ])
  func flagsOfUniform(firstSparse: Bool, lastDense: Bool, connections: [Int]) throws {
    let distribution = SparsityDistribution(
      .uniform, sparsity: 0.98, firstLayerSparse: firstSparse, lastLayerDense: lastDense)
    #expect(try distribution.allocate(over: Self.lenet).layers.map(\.connections) == connections)
  }

  // S = .5:        N    p    zeros
  //   a (4, 2)     8   .75     4     first pass:  ε = (4 + 50)/(6 + 20), .75 ε = 1.56 > 1
  //   b (10, 10) 100   .2     50     second pass: ε = (50 − 4)/20 = 2.3, s = 1 − .46
  @Test func erdosRenyiByHand() throws {
    let layers = [
      SparsifiableLayer(name: "a", shape: [4, 2], isFirst: true),
      SparsifiableLayer(name: "b", shape: [10, 10], isLast: true),
    ]
    for kind in [SparsityDistribution.Kind.erdosRenyi, .erdosRenyiKernel] {
      let allocation = try SparsityDistribution(kind, sparsity: 0.5).allocate(over: layers)
      #expect(abs(try #require(allocation.epsilon) - 2.3) < 1e-14)
      #expect(allocation.denseSet == ["a"])
      #expect(allocation.layers.map(\.connections) == [8, 46])
      #expect(abs(allocation.layers[1].sparsity - 0.54) < 1e-14)
      #expect(abs(allocation.sparsity - 0.5) < 1e-15)
    }
  }

  // S = .5:             N    p     zeros
  //   a (4, 2, 3, 3)   72   12/72   36    ER sees (4 + 2)/8 = .75 instead
  //   b (6, 4, 1, 1)   24   12/24   12    ER sees 10/24
  // ERK: ε = (36 + 12)/(12 + 12) = 2, densities 1/3 and exactly 1, which is not above 1.
  // ER:  ε = 48/(54 + 10) = .75, densities .5625 and .3125.
  @Test func kernelDimensionsCountInERKOnly() throws {
    let layers = [
      SparsifiableLayer(name: "a", shape: [4, 2, 3, 3]),
      SparsifiableLayer(name: "b", shape: [6, 4, 1, 1]),
    ]
    let erk = try SparsityDistribution(.erdosRenyiKernel, sparsity: 0.5).allocate(over: layers)
    #expect(abs(try #require(erk.epsilon) - 2) < 1e-14)
    #expect(erk.denseSet.isEmpty, "a density of exactly 1 is not above 1")
    #expect(erk.layers[1].connections == 24)
    #expect(abs(erk.layers[0].sparsity - 2.0 / 3) < 1e-14)
    let er = try SparsityDistribution(.erdosRenyi, sparsity: 0.5).allocate(over: layers)
    #expect(abs(try #require(er.epsilon) - 0.75) < 1e-14)
    #expect(abs(er.layers[0].sparsity - 0.4375) < 1e-14)
    #expect(abs(er.layers[1].sparsity - 0.6875) < 1e-14)
    // 72 − floor(31.5) and 24 − floor(16.5)
    #expect(er.layers.map(\.connections) == [41, 8])
  }

  @Test func layersOfEqualDensityBecomeDenseTogether() throws {
    // ε = (4 + 4 + 32)/(6 + 6 + 16) = 1.43, .75 ε > 1; then (32 − 8)/16 = 1.5, density .375.
    let layers = [
      SparsifiableLayer(name: "z", shape: [4, 2]), SparsifiableLayer(name: "b", shape: [8, 8]),
      SparsifiableLayer(name: "a", shape: [2, 4]),
    ]
    let allocation = try SparsityDistribution(.erdosRenyi, sparsity: 0.5).allocate(over: layers)
    #expect(allocation.epsilon == 1.5)
    #expect(allocation.denseSet == ["z", "a"], "in the network's order")
    #expect(allocation.layers.map(\.connections) == [8, 24, 8])
  }

  @Test func theMapOverridesAndLeavesTheBudget() throws {
    // LeNet-300-100 as published: S, .9 S, 0.
    let published = SparsityDistribution(
      .uniform, sparsity: 0.99, overrides: ["layer1": 0.99, "layer2": 0.891, "layer3": 0])
    #expect(
      try published.allocate(over: Self.lenet).layers.map(\.connections) == [2_352, 3_270, 1_000])

    // Without layer1 the budget is that of layers 2 and 3: ε = (15 000 + 500)/(400 + 110).
    let erk = try SparsityDistribution(
      .erdosRenyiKernel, sparsity: 0.5, overrides: ["layer1": 0.25]
    ).allocate(over: Self.lenet)
    #expect(erk.layers[0].connections == 176_400)
    // .11 ε = 3.34 > 1: layer3 is dense, ε = (15 000 − 500)/400.
    #expect(erk.denseSet == ["layer3"])
    #expect(abs(try #require(erk.epsilon) - 36.25) < 1e-12)
    // 14 500 connections, but in double precision s · 30 000 comes out just below a whole number.
    #expect(erk.layers[1].connections == 14_501)
    #expect(erk["layer2"] == erk.layers[1] && erk["layer4"] == nil)
  }

  @Test func theLastLayerLeavesTheBudgetToo() throws {
    let allocation = try SparsityDistribution(
      .erdosRenyiKernel, sparsity: 0.9, lastLayerDense: true
    ).allocate(over: Self.lenet)
    // ε = (23 520 + 3 000)/(1 084 + 400)
    #expect(abs(try #require(allocation.epsilon) - 26_520.0 / 1_484) < 1e-12)
    #expect(allocation.denseSet.isEmpty, "dense by the flag, not by the iteration")
    #expect(allocation.layers[2].sparsity == 0)
  }

  @Test func depthwiseLayersAreNeverSparse() throws {
    let layers = [
      SparsifiableLayer(name: "dw", shape: [8, 1, 3, 3], canBeSparse: false),
      SparsifiableLayer(name: "pw", shape: [16, 8, 1, 1]),
    ]
    for kind in SparsityDistribution.Kind.allCases {
      let allocation = try SparsityDistribution(kind, sparsity: 0.5).allocate(over: layers)
      #expect(allocation.layers.map(\.connections) == [72, 64])
    }
    let error = #expect(throws: RigLError.self) {
      try SparsityDistribution(.uniform, sparsity: 0.5, overrides: ["dw": 0.5])
        .allocate(over: layers)
    }
    #expect(error?.what.contains("'dw'") == true)
    #expect(error?.hint?.contains("pw") == true)
  }

  @Test func layersOfFortyBillionPositions() throws {
    let layers = (1...3).map {
      SparsifiableLayer(name: "layer\($0)", shape: [200_000, 200_000], isFirst: $0 == 1)
    }
    let uniform = try SparsityDistribution(.uniform, sparsity: 0.999, firstLayerSparse: true)
      .allocate(over: layers)
    #expect(uniform.layers.map(\.connections) == [40_000_000, 40_000_000, 40_000_000])
    #expect(uniform.positions == 120_000_000_000)
    let erk = try SparsityDistribution(.erdosRenyiKernel, sparsity: 0.999).allocate(over: layers)
    for layer in erk.layers { #expect(abs(layer.connections - 40_000_000) <= 1) }
  }

  @Test func zeroSparsityIsDenseUnderEveryDistribution() throws {
    for kind in SparsityDistribution.Kind.allCases {
      let allocation = try SparsityDistribution(kind, sparsity: 0).allocate(over: Self.lenet)
      #expect(allocation.layers.allSatisfy { $0.sparsity == 0 && $0.connections == $0.positions })
      #expect(allocation.sparsity == 0)
    }
  }

  @Test(arguments: [1, 1.5, -0.1, .nan, .infinity])
  func sparsitiesOutsideTheRangeAreErrors(sparsity: Double) {
    for kind in SparsityDistribution.Kind.allCases {
      let error = #expect(throws: RigLError.self) {
        try SparsityDistribution(kind, sparsity: sparsity).allocate(over: Self.lenet)
      }
      #expect(error?.kind == .configuration && error?.what.contains("\(sparsity)") == true)
    }
    let error = #expect(throws: RigLError.self) {
      try SparsityDistribution(.uniform, sparsity: 0.5, overrides: ["layer2": sparsity]).validate()
    }
    #expect(error?.what.contains("layer2") == true)
  }

  @Test func unknownNamesInTheMapAreListedWithTheNearest() {
    let error = #expect(throws: RigLError.self) {
      try SparsityDistribution(.uniform, sparsity: 0.5, overrides: ["lyer2": 0.5, "layr1": 0])
        .allocate(over: Self.lenet)
    }
    #expect(
      error?.what == "unknown layers in the sparsity map: 'layr1' (nearest: 'layer1'), "
        + "'lyer2' (nearest: 'layer2')")
    #expect(error?.hint == "valid names: layer1, layer2, layer3")
  }

  @Test func aBudgetWithoutLayersIsAnErrorUnlessTheMapDecides() throws {
    let only = [SparsifiableLayer(name: "only", shape: [10, 10], isFirst: true, isLast: true)]
    let error = #expect(throws: RigLError.self) {
      try SparsityDistribution(.erdosRenyiKernel, sparsity: 0.9, lastLayerDense: true)
        .allocate(over: only)
    }
    #expect(error?.what.hasPrefix("erk: sparsity 0.9 cannot be met") == true)
    let mapped = try SparsityDistribution(
      .erdosRenyiKernel, sparsity: 0.9, overrides: ["only": 0.5]
    ).allocate(over: only)
    #expect(mapped.connections == 50)
  }

  /// On random networks: densities in (0, 1], the budget met to the rounding of one per layer.
  @Test func erdosRenyiMeetsItsBudget() throws {
    var state: UInt64 = 1
    func next(_ below: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % below
    }
    for _ in 0..<200 {
      let layers = (0...next(8)).map { l in
        let kernel = 1 + 2 * next(3)
        return SparsifiableLayer(
          name: "l\(l)", shape: [1 + next(64), 1 + next(64), kernel, kernel], isFirst: l == 0)
      }
      let sparsity = Double(next(999)) / 1_000
      let allocation = try SparsityDistribution(.erdosRenyiKernel, sparsity: sparsity)
        .allocate(over: layers)
      let asked = layers.reduce(0) {
        $0 + $1.positions - Int((sparsity * Double($1.positions)).rounded(.down))
      }
      #expect(abs(allocation.connections - asked) <= layers.count)
      #expect(allocation.layers.allSatisfy { $0.connections > 0 && $0.sparsity >= 0 })
    }
  }
}
