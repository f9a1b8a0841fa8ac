namespace MonoLoss.Kernels;

/// <summary>Memory, and every kernel that the autoencoders need. What each device implements is said here once.</summary>
/// <remarks>
/// <para>
/// B is the number of rows (samples) of a batch, D the number of features, M the number of latents, k the number of active latents per
/// row. x is a row of features, z a row of latents, ∂z short for ∂loss/∂z. Matrices are row-major; the weights of encoder and decoder
/// are both M×D, one row per latent. The latents of a batch are a <see cref="CsrMatrix"/>, B×M.
/// </para>
/// <para>
/// "Becomes" in a parameter's text means that the argument is resized and overwritten; "is added to" means that its values count. Unless
/// said otherwise, a result must not share memory with an argument. Scalar results are float64 in device memory, so that a step can go on
/// without waiting for them.
/// </para>
/// <para>
/// A result depends on the arguments and the device alone: the same call gives the same bits, on any number of threads. The kernels of one
/// device are called from one thread at a time. An <see cref="ArgumentException"/> says that shapes do not fit.
/// </para>
/// <para>
/// A training step goes Encode… → <see cref="SpMM"/> (decode) → losses → <see cref="FusedLatentBackward"/> → <see cref="Adam"/>. The fused
/// backward pass forms MonoScore, its gradient, ∂z and both weight gradients of a latent while the rows that the latent fires on are in
/// cache. <see cref="MonoScores"/>, <see cref="SDDMM"/>, <see cref="SpMMTransposed"/> and the other parts of it exist on their own for
/// losses that are read without a backward pass, for gradients that are not fused, and as what the fused pass is tested against.
/// </para>
/// </remarks>
public abstract class Device : IDisposable
{
    /// <summary>What clipping adds to the gradient's norm before dividing by it.</summary>
    protected const double ClipEpsilon = 1e-6;

    private readonly List<DeviceScalars.Block> _scalars = [];

    /// <summary>The name that <see cref="DeviceFactory.Open"/> takes.</summary>
    public abstract string Name { get; }

    /// <summary>A description of the hardware for the user.</summary>
    public abstract string Description { get; }

    /// <summary>Waits until all work so far is done, for measurements. Reading a result waits by itself.</summary>
    public virtual void Synchronize()
    {
    }

    // ---- Memory ----------------------------------------------------------------------------------------------------

    /// <summary>Allocates <paramref name="length"/> elements, all zero.</summary>
    public abstract DeviceArray<T> Allocate<T>(long length)
        where T : unmanaged;

    /// <summary>The device's own memory; null if it computes in the host's.</summary>
    public virtual DeviceMemory? Memory => null;

    /// <summary>
    /// An estimate of the memory (<see cref="Memory"/>) that the kernels of training and evaluation need in addition to the arrays they are
    /// given; 0 if the device computes in the host's memory.
    /// </summary>
    /// <param name="shape">The sizes of a training step.</param>
    /// <returns>Bytes.</returns>
    public virtual long ScratchBytes(in WorkloadShape shape) => 0;

    /// <summary>The greatest length of an array, in elements.</summary>
    public virtual long MaxLength => long.MaxValue;

    /// <summary>Allocates host memory that the device can copy from while its kernels run.</summary>
    /// <param name="length">Number of values.</param>
    public virtual UploadBuffer CreateUploadBuffer(int length) => new HostUploadBuffer(length);

    /// <summary>A new matrix of zeros.</summary>
    public Tensor Tensor(int rows, int columns) => new(this, rows, columns);

    /// <summary>A new sparse matrix without rows.</summary>
    public CsrMatrix CsrMatrix() => new(this);

    /// <summary>Room for numbers that kernels write.</summary>
    /// <param name="count">How many.</param>
    public DeviceScalars Scalars(int count)
    {
        foreach (var block in _scalars)
        {
            if (block.Take(count) is { } scalars)
            {
                return scalars;
            }
        }

        _scalars.Add(new DeviceScalars.Block(this));
        return _scalars[^1].Take(count) ?? throw new ArgumentOutOfRangeException(nameof(count));
    }

    // ---- Gemm: dense products --------------------------------------------------------------------------------------

    /// <summary>The relative error with which <see cref="Gemm"/> may round A and B before it multiplies them; 0 if it does not.</summary>
    public virtual double GemmInputRounding => 0;

    /// <summary>C = α·op(A)·op(B) + β·C, then + bias and ReLU if asked for.</summary>
    /// <param name="transposeA">Whether op transposes A.</param>
    /// <param name="transposeB">Whether op transposes B.</param>
    /// <param name="alpha">α.</param>
    /// <param name="a">A.</param>
    /// <param name="b">B.</param>
    /// <param name="beta">β; if 0, C is not read.</param>
    /// <param name="c">C.</param>
    /// <param name="bias">One value per column of C, or null.</param>
    /// <param name="relu">Whether negative results become 0.</param>
    public abstract void Gemm(
        bool transposeA, bool transposeB, float alpha, Tensor a, Tensor b, float beta, Tensor c, Tensor? bias = null, bool relu = false);

    /// <summary>y += α · Σ_m weights[m] · matrix[m].</summary>
    /// <param name="alpha">α.</param>
    /// <param name="weights">1×M.</param>
    /// <param name="matrix">M×D.</param>
    /// <param name="y">1×D; is added to.</param>
    public abstract void AddVectorMatrixProduct(float alpha, Tensor weights, Tensor matrix, Tensor y);

    // ---- Encode: Gemm fused with selection -------------------------------------------------------------------------

    /// <summary>
    /// TopK: the <paramref name="k"/> largest positive values of x·weightsᵀ + bias per row. Ties go to the lowest latent; NaN is never
    /// selected.
    /// </summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="k">0 … M.</param>
    /// <param name="latents">Becomes B×M.</param>
    public abstract void EncodeTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents);

    /// <summary>
    /// BatchTopK: the B·<paramref name="k"/> largest positive values of x·weightsᵀ + bias in the whole batch. Ties go to the lowest row,
    /// then the lowest latent; NaN is never selected.
    /// </summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="k">0 … M.</param>
    /// <param name="latents">Becomes B×M.</param>
    /// <remarks>The smallest value kept becomes <see cref="CsrMatrix.SmallestKept"/>.</remarks>
    public abstract void EncodeBatchTopK(Tensor x, Tensor weights, Tensor? bias, int k, CsrMatrix latents);

    /// <summary>Every value of ReLU(x·weightsᵀ + bias) above the bound of its latent.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M, or null.</param>
    /// <param name="bounds">1×M, or null for 0. A negative bound keeps that latent's zeros too.</param>
    /// <param name="latents">Becomes B×M.</param>
    public abstract void EncodeThreshold(Tensor x, Tensor weights, Tensor? bias, Tensor? bounds, CsrMatrix latents);

    // ---- Sparse products -------------------------------------------------------------------------------------------

    /// <summary>Builds the index by column (CSC) of a sparse matrix, unless it exists.</summary>
    public abstract void BuildColumnIndex(CsrMatrix s);

    /// <summary>Lists the nonzeros of a matrix that this device kept dense (<see cref="CsrMatrix.Dense"/>), by row and by column.</summary>
    /// <param name="dense">Columns×rows.</param>
    /// <param name="pattern">A matrix whose entries are to be listed, zeros too; null for the nonzeros.</param>
    /// <param name="s">Becomes its transpose.</param>
    /// <exception cref="NotSupportedException">The device keeps no matrix dense.</exception>
    internal virtual void ListNonzeros(Tensor dense, CsrMatrix? pattern, CsrMatrix s) =>
        throw new NotSupportedException($"{Name} keeps no sparse matrix dense");

    /// <summary>SpMM: result = s·matrix + bias.</summary>
    /// <param name="s">B×M.</param>
    /// <param name="matrix">M×D.</param>
    /// <param name="bias">1×D, or null.</param>
    /// <param name="result">Becomes B×D.</param>
    public abstract void SpMM(CsrMatrix s, Tensor matrix, Tensor? bias, Tensor result);

    /// <summary>SpMM with the transpose: result += sᵀ·x, with the values of s or with its gradient.</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="useGradient">Whether to take the gradient in place of the values.</param>
    /// <param name="x">B×D; G·B×D with groups.</param>
    /// <param name="result">M×D; is added to.</param>
    /// <param name="groupEnds">
    /// Where the columns form groups: one past the last of each. A column of group g then takes the g-th B rows of x. Null for one group.
    /// </param>
    public abstract void SpMMTransposed(CsrMatrix s, bool useGradient, Tensor x, Tensor result, DeviceArray<int>? groupEnds = null);

    /// <summary>SDDMM: the gradient at every nonzero (i, m) of s += g[i]·matrix[m].</summary>
    /// <param name="s">B×M.</param>
    /// <param name="g">B×D; G·B×D with groups.</param>
    /// <param name="matrix">M×D.</param>
    /// <param name="groupEnds">
    /// Where the columns form groups: one past the last of each. A column of group h then takes the h-th B rows of g. Null for one group.
    /// </param>
    public abstract void SDDMM(CsrMatrix s, Tensor g, Tensor matrix, DeviceArray<int>? groupEnds = null);

    /// <summary>sums[m] += Σ_i of the gradient at nonzeros (i, m).</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="sums">1×M; is added to.</param>
    public abstract void SumGradientColumns(CsrMatrix s, Tensor sums);

    /// <summary>result[0] = the number of positive values, result[1] = their sum.</summary>
    public abstract void SumAndCountPositive(CsrMatrix s, DeviceArray<double> result);

    /// <summary>Adds <paramref name="amount"/> to the gradient at every positive value.</summary>
    public abstract void AddToGradientWherePositive(CsrMatrix s, float amount);

    /// <summary>Determines the number of nonzeros that this device has left open (<see cref="CsrMatrix.SetNonzeroCount"/>).</summary>
    internal virtual void ReadNonzeroCount(CsrMatrix s) =>
        throw new NotSupportedException($"{Name} always determines the number of nonzeros");

    /// <summary>Column j of s becomes column list[j].</summary>
    /// <param name="s">A matrix with as many columns as the list has elements.</param>
    /// <param name="list">Ascending columns.</param>
    /// <param name="columns">The number of columns that s gets.</param>
    public abstract void RemapColumns(CsrMatrix s, DeviceArray<int> list, int columns);

    // ---- Groups: nested reconstructions ----------------------------------------------------------------------------

    /// <summary>
    /// The reconstructions from nested groups of latents, their errors and squared errors, in one visit to each row: group after group is
    /// added, so that all of them cost little more than <see cref="SpMM"/>.
    /// </summary>
    public abstract void DecodeGroups(in GroupDecodeArgs work);

    /// <summary>
    /// Turns the errors of nested reconstructions into the gradients that each group's latents get, which are part of all later
    /// reconstructions: errors[g·B + i] becomes scale[i]·(last[i] + factor·Σ of errors[h·B + i] over h ≥ g).
    /// </summary>
    /// <param name="errors">G·B×D (<see cref="GroupDecodeArgs.Errors"/>); overwritten.</param>
    /// <param name="groups">G.</param>
    /// <param name="factor">The factor.</param>
    /// <param name="scale">1×B; null for 1.</param>
    /// <param name="last">A further gradient of the last reconstruction, B×D; null for none.</param>
    public abstract void SumGroupErrors(Tensor errors, int groups, double factor, Tensor? scale, Tensor? last);

    // ---- Rows ------------------------------------------------------------------------------------------------------

    /// <summary>norms[i] = max(‖x_i‖, 1e-8) in float64.</summary>
    public abstract void RowNorms(Tensor x, DeviceArray<double> norms);

    /// <summary>sum[d] += Σ_i x[i, d]/norms[i] in float64: the sum of the unit rows.</summary>
    public abstract void SumUnitRows(Tensor x, DeviceArray<double> norms, DeviceArray<double> sum);

    /// <summary>Layer norm per row: (x − mean)/(deviation + 1e-5), with the sample standard deviation (divisor D − 1).</summary>
    /// <param name="x">B×D.</param>
    /// <param name="normalized">Becomes B×D.</param>
    /// <param name="mean">Becomes 1×B.</param>
    /// <param name="deviation">Becomes 1×B.</param>
    public abstract void LayerNorm(Tensor x, Tensor normalized, Tensor mean, Tensor deviation);

    /// <summary>result[i] = x[i]·scale[i] + shift[i].</summary>
    /// <param name="x">B×D.</param>
    /// <param name="scale">1×B.</param>
    /// <param name="shift">1×B, or null for 0.</param>
    /// <param name="result">Becomes B×D; may be x.</param>
    public abstract void ScaleRows(Tensor x, Tensor scale, Tensor? shift, Tensor result);

    /// <summary>result[i] = x[i] + α·row.</summary>
    /// <param name="x">B×D.</param>
    /// <param name="alpha">α.</param>
    /// <param name="row">1×D.</param>
    /// <param name="result">Becomes B×D; may be x.</param>
    public abstract void AddRow(Tensor x, float alpha, Tensor row, Tensor result);

    /// <summary>sums[d] += α·Σ_i x[i, d].</summary>
    /// <param name="alpha">α.</param>
    /// <param name="x">The matrix.</param>
    /// <param name="sums">1×D; is added to.</param>
    /// <param name="rows">How many rows of x to sum, from the first; null for all.</param>
    public abstract void SumColumns(float alpha, Tensor x, Tensor sums, int? rows = null);

    /// <summary>result = α·x + β·y, elementwise; result may be x or y.</summary>
    public abstract void LinearCombination(float alpha, Tensor x, float beta, Tensor y, Tensor result);

    /// <summary>result[i] = matrix[list[i]], row by row.</summary>
    /// <param name="matrix">M×D.</param>
    /// <param name="list">Row indices.</param>
    /// <param name="result">Becomes (length of list)×D.</param>
    public abstract void GatherRows(Tensor matrix, DeviceArray<int> list, Tensor result);

    /// <summary>result[i] = vector[list[i]], elements of a 1×M vector.</summary>
    public abstract void GatherElements(Tensor vector, DeviceArray<int> list, Tensor result);

    /// <summary>Copies rows to those of a matrix that a list names: the reverse of <see cref="GatherRows"/>.</summary>
    /// <param name="rows">(Length of list)×D.</param>
    /// <param name="list">Row numbers, all different.</param>
    /// <param name="matrix">M×D.</param>
    public abstract void ScatterRows(Tensor rows, DeviceArray<int> list, Tensor matrix);

    // ---- Losses ----------------------------------------------------------------------------------------------------

    /// <summary>result[0] = Σ_i w_i · Σ_d (r[i, d] − t[i, d])².</summary>
    /// <param name="r">The reconstruction, B×D.</param>
    /// <param name="t">The target, B×D.</param>
    /// <param name="weight">w_i, or its numerator.</param>
    /// <param name="relative">Whether w_i = weight / Σ_d t[i, d]² (0 for a row of zeros); otherwise w_i = weight.</param>
    /// <param name="result">One element.</param>
    public abstract void SquaredError(Tensor r, Tensor t, double weight, bool relative, DeviceArray<double> result);

    /// <summary>gradient += factor · the gradient of <see cref="SquaredError"/> with respect to r.</summary>
    public abstract void SquaredErrorGradient(Tensor r, Tensor t, double weight, bool relative, double factor, Tensor gradient);

    /// <summary>Per feature d, in float64: sums[d] += Σ_i x, sums[D + d] += Σ_i x², sums[2D + d] += Σ_i (x − r)².</summary>
    public abstract void AccumulateColumnErrors(Tensor x, Tensor r, DeviceArray<double> sums);

    // ---- JumpReLU --------------------------------------------------------------------------------------------------

    /// <summary>
    /// JumpReLU in place. s holds pre-activations ReLU(x·weightsᵀ + bias): they are copied to <paramref name="pre"/>, and those not above
    /// θ = exp(logThreshold) of their latent become 0.
    /// </summary>
    /// <remarks>
    /// The gradient jumps at θ and at θ ± h/2, so the side that a pre-activation is on must not depend on float32 rounding: those closer
    /// to an edge than rounding can tell are recomputed in float64.
    /// </remarks>
    /// <param name="s">B×M.</param>
    /// <param name="x">B×D.</param>
    /// <param name="weights">M×D.</param>
    /// <param name="bias">1×M.</param>
    /// <param name="logThreshold">1×M.</param>
    /// <param name="bandwidth">h.</param>
    /// <param name="pre">Becomes the pre-activation at every nonzero.</param>
    public abstract void JumpReLU(
        CsrMatrix s, Tensor x, Tensor weights, Tensor bias, Tensor logThreshold, float bandwidth, DeviceArray<float> pre);

    /// <summary>
    /// Straight-through gradient of JumpReLU and of L0 (arXiv 2407.14435). With rect(t) = 1 for −½ &lt; t &lt; ½, else 0, it adds
    /// Σ −(θ/h)·rect((pre − θ)/h)·∂z − l0Factor·(1/h)·rect((z − θ)/h) to the gradient of logThreshold, and sets ∂z to 0 where z is 0.
    /// </summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="pre">The pre-activation at every nonzero.</param>
    /// <param name="logThreshold">1×M.</param>
    /// <param name="bandwidth">h.</param>
    /// <param name="l0Factor">∂loss/∂L0.</param>
    /// <param name="gradient">1×M; is added to.</param>
    public abstract void JumpReLUGradient(
        CsrMatrix s, DeviceArray<float> pre, Tensor logThreshold, float bandwidth, double l0Factor, Tensor gradient);

    /// <summary>The bounds to encode with before <see cref="JumpReLU"/>: just below exp(logThreshold) − h/2.</summary>
    public abstract void JumpReLUBounds(Tensor logThreshold, float bandwidth, Tensor bounds);

    // ---- Gated ---------------------------------------------------------------------------------------------------------

    /// <summary>
    /// The magnitudes of Gated SAEs: z = ReLU(exp(scale)·π + magBias) wherever the gate ĝ = ReLU(π + gateBias) is open.
    /// </summary>
    /// <param name="gate">ĝ, B×M.</param>
    /// <param name="scale">r_mag, 1×M.</param>
    /// <param name="gateBias">1×M.</param>
    /// <param name="magBias">1×M.</param>
    /// <param name="z">Becomes z, B×M: an entry, which may be 0, for every nonzero of ĝ.</param>
    public abstract void Gate(CsrMatrix gate, Tensor scale, Tensor gateBias, Tensor magBias, CsrMatrix z);

    /// <summary>
    /// The gradient of <see cref="Gate"/>, which stops where z is 0. A training step does not call this: it has
    /// <see cref="FusedLatentBackward"/> do the same (<see cref="GateTerm"/>).
    /// </summary>
    /// <param name="z">z with its gradient, B×M, its columns indexed.</param>
    /// <param name="gate">ĝ, with the entries of z; exp(scale)·∂z is added to its gradient.</param>
    /// <param name="scale">r_mag, 1×M.</param>
    /// <param name="magBias">1×M.</param>
    /// <param name="scaleGradient">1×M; is added to.</param>
    /// <param name="gateBiasGradient">1×M; is added to: π = ĝ − gateBias.</param>
    /// <param name="magBiasGradient">1×M; is added to.</param>
    public abstract void GateGradient(
        CsrMatrix z,
        CsrMatrix gate,
        Tensor scale,
        Tensor magBias,
        Tensor scaleGradient,
        Tensor gateBiasGradient,
        Tensor magBiasGradient);

    // ---- MonoScore -------------------------------------------------------------------------------------------------

    /// <summary>
    /// <see cref="MonoScore"/> of every latent over the batch (δ = 1e-8), and its gradient. A training step does not call this: it has
    /// <see cref="FusedLatentBackward"/> do the same.
    /// </summary>
    /// <param name="s">z ≥ 0, B×M, its columns indexed.</param>
    /// <param name="x">The rows to compare, B×D.</param>
    /// <param name="norms">Their <see cref="RowNorms"/>, B.</param>
    /// <param name="unitRowSum">P = Σ x/‖x‖ over the rows (<see cref="SumUnitRows"/>), D.</param>
    /// <param name="scores">Becomes 1×M, 0 for a latent that is not active.</param>
    /// <param name="gradient">Becomes ∂score/∂z at every nonzero.</param>
    /// <param name="result">Becomes the sum of the scores and the number of active latents.</param>
    public abstract void MonoScores(
        CsrMatrix s,
        Tensor x,
        DeviceArray<double> norms,
        DeviceArray<double> unitRowSum,
        Tensor scores,
        DeviceArray<float> gradient,
        DeviceArray<double> result);

    /// <summary>The number of latents that MonoLoss counts as active over the batch (<see cref="MonoScore.IsActive"/>).</summary>
    /// <param name="s">z ≥ 0, B×M, its columns indexed.</param>
    /// <param name="norms">The <see cref="RowNorms"/> of the rows compared, B.</param>
    public abstract int CountMonoActive(CsrMatrix s, DeviceArray<double> norms);

    /// <summary>Adds MonoLoss's gradient: that of s −= factor/result[1] · scoreGradient, if result[1] latents are active.</summary>
    public abstract void AddMonoGradient(CsrMatrix s, DeviceArray<float> scoreGradient, DeviceArray<double> result, double factor);

    /// <summary>Adds a batch to the sums that give the MonoScore of a whole dataset. z may have any sign.</summary>
    /// <param name="s">z, B×M, its columns indexed.</param>
    /// <param name="x">The rows to compare, B×D.</param>
    /// <param name="norms">Their <see cref="RowNorms"/>, B.</param>
    /// <param name="sums">The sums so far; is added to.</param>
    public abstract void AccumulateMonoScore(CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums);

    /// <summary><see cref="MonoScore"/> of every latent from its sums (δ = 1e-12).</summary>
    /// <param name="sums">The sums of the whole dataset.</param>
    /// <param name="scores">Becomes the scores, M.</param>
    public abstract void FinishMonoScore(MonoScoreSums sums, DeviceArray<double> scores);

    /// <summary>
    /// Adds factor · ∂score/∂z of the dataset's MonoScore to the gradient at every nonzero of one of its batches, for latents whose score
    /// is not 0. All rows that attain an extreme share its gradient equally.
    /// </summary>
    /// <param name="s">z, B×M, its columns indexed.</param>
    /// <param name="x">The rows to compare, B×D.</param>
    /// <param name="norms">Their <see cref="RowNorms"/>, B.</param>
    /// <param name="sums">The sums of the whole dataset.</param>
    /// <param name="scores">What <see cref="FinishMonoScore"/> gave, M.</param>
    /// <param name="factor">The derivative of the objective with respect to every score.</param>
    public abstract void AddDatasetMonoGradient(
        CsrMatrix s, Tensor x, DeviceArray<double> norms, MonoScoreSums sums, DeviceArray<double> scores, double factor);

    // ---- Fused backward pass ---------------------------------------------------------------------------------------

    /// <summary>
    /// The backward pass through the latents of a batch, latent by latent: everything that contributes to ∂z, and every gradient that
    /// follows from it. It does what <see cref="SDDMM"/>, <see cref="SpMMTransposed"/>, <see cref="MonoScores"/>,
    /// <see cref="AddMonoGradient"/>, <see cref="JumpReLUGradient"/> and <see cref="SumGradientColumns"/> do one after another.
    /// </summary>
    public abstract void FusedLatentBackward(in FusedBackwardArgs work);

    // ---- Dead latents ----------------------------------------------------------------------------------------------

    /// <summary>Sets the counter of every latent with a positive value in s to <paramref name="fired"/>; adds 1 to the others.</summary>
    /// <param name="s">B×M, its columns indexed.</param>
    /// <param name="counters">Steps since each latent fired, M.</param>
    /// <param name="fired">The counter of a latent that fired in this batch.</param>
    public abstract void UpdateStepsSinceFired(CsrMatrix s, DeviceArray<int> counters, int fired);

    /// <summary>Lists the latents whose counter is at least <paramref name="least"/>, ascending.</summary>
    /// <returns>The length of <paramref name="list"/>.</returns>
    public abstract int FindDead(DeviceArray<int> counters, int least, DeviceArray<int> list);

    /// <summary>
    /// <see cref="UpdateStepsSinceFired"/> and <see cref="FindDead(DeviceArray{int}, int, DeviceArray{int})"/> with one wait for the
    /// device: right after an encoding, what the host has to know of that comes in the same copy.
    /// </summary>
    /// <param name="s">B×M; its columns get indexed.</param>
    /// <param name="counters">M batches since each latent fired; updated.</param>
    /// <param name="fired">What a latent's counter is after a batch it fired in.</param>
    /// <param name="least">The counter from which on a latent is listed.</param>
    /// <param name="list">Becomes the latents, ascending.</param>
    /// <returns>How many latents are listed.</returns>
    public virtual int FindDead(CsrMatrix s, DeviceArray<int> counters, int fired, int least, DeviceArray<int> list)
    {
        BuildColumnIndex(s);
        UpdateStepsSinceFired(s, counters, fired);
        return FindDead(counters, least, list);
    }

    /// <summary>result[0] = how many counters are at least <paramref name="least"/>.</summary>
    public abstract void CountDead(DeviceArray<int> counters, int least, DeviceArray<double> result);

    // ---- Optimizer -------------------------------------------------------------------------------------------------

    /// <summary>result[0] += Σ x², in float64.</summary>
    public abstract void AddSumSquares(Tensor x, DeviceArray<double> result);

    /// <summary>result[0] += Σ values.</summary>
    public abstract void AddSum(DeviceArray<double> values, DeviceArray<double> result);

    /// <summary>
    /// Clipping by the global norm, as torch.nn.utils.clip_grad_norm_ does: factor[0] = min(1, maxNorm/(√squares[0] + 1e-6)).
    /// </summary>
    /// <param name="squares">The sum of squares of the whole gradient.</param>
    /// <param name="maxNorm">The longest that a gradient may be; infinity for no clipping.</param>
    /// <param name="factor">One number, for <see cref="Adam"/>.</param>
    public abstract void ClipFactor(DeviceArray<double> squares, double maxNorm, DeviceArray<float> factor);

    /// <summary>Scales every row to unit length; a row of zeros stays zero.</summary>
    public abstract void NormalizeRows(Tensor x);

    /// <summary>
    /// Adam with bias correction (Kingma &amp; Ba 2015, arXiv 1412.6980), which reads and writes every parameter once. With
    /// <see cref="AdamStep.UnitRows"/> each row of the parameter is first scaled to unit length, and with
    /// <see cref="AdamStep.Project"/> the part of the gradient along that row is removed.
    /// </summary>
    /// <param name="parameter">Rows×columns.</param>
    /// <param name="gradient">The same shape.</param>
    /// <param name="firstMoment">The same shape.</param>
    /// <param name="secondMoment">The same shape.</param>
    /// <param name="step">The settings of this step.</param>
    /// <param name="gradientScale">One number that the gradient is multiplied by (<see cref="ClipFactor"/>); null for 1.</param>
    public abstract void Adam(
        Tensor parameter,
        Tensor gradient,
        Tensor firstMoment,
        Tensor secondMoment,
        in AdamStep step,
        DeviceArray<float>? gradientScale = null);

    /// <inheritdoc/>
    public abstract void Dispose();
}
