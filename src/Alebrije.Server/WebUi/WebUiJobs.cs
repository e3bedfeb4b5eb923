using System.Security.Cryptography;
using System.Text;
using Alebrije.Server.Jobs;
using Microsoft.AspNetCore.Http;

namespace Alebrije.Server.WebUi;

/// <summary>A pending job of this interface.</summary>
/// <param name="Caller">Hash of the key, so that a client sees and interrupts its own jobs alone.</param>
/// <param name="Job">The job.</param>
/// <param name="Rounds">Its <c>n_iter</c>.</param>
internal sealed record WebUiJob(string Caller, Job Job, int Rounds)
{
    /// <summary>True once the client interrupted it.</summary>
    public bool IsInterrupted { get; set; }
}

/// <summary>Pending jobs of this interface, whose <c>progress</c> and <c>interrupt</c> name none.</summary>
internal sealed class WebUiJobs
{
    private readonly Lock gate = new();
    private readonly List<WebUiJob> pending = [];

    public WebUiJob Add(HttpRequest request, Job job, int rounds)
    {
        var added = new WebUiJob(Caller(request), job, rounds);
        lock (gate) pending.Add(added);
        return added;
    }

    public void Remove(WebUiJob job)
    {
        lock (gate) pending.Remove(job);
    }

    /// <summary>The oldest pending job of a client; null: none.</summary>
    public WebUiJob? Of(HttpRequest request)
    {
        var caller = Caller(request);
        lock (gate) return pending.Find(each => each.Caller == caller && !each.Job.IsOver);
    }

    private static string Caller(HttpRequest request) => Convert.ToHexString(SHA256.HashData(
        Encoding.UTF8.GetBytes($"{request.Headers.Authorization}\n{request.Headers["X-Api-Key"]}")));
}
