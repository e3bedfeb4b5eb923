using System.Net;
using System.Net.Sockets;

namespace Alebrije.Catalog;

/// <summary>Turns an error response of the hub into a message with the way out.</summary>
/// <param name="settings">Endpoint and token.</param>
/// <param name="repository">The requested repository.</param>
/// <param name="revision">Its revision.</param>
/// <param name="file">The file, or null: the list.</param>
internal sealed class HubRefusal(HubSettings settings, HubRepository repository, string revision, string? file = null)
{
    private string Host => settings.Endpoint.Host;
    private string Page => $"{settings.Endpoint.AbsoluteUri.TrimEnd('/')}/{repository}";
    private string HowToSignIn => $"make a token at {settings.Endpoint.AbsoluteUri.TrimEnd('/')}/settings/tokens and set HF_TOKEN to it";

    public HubException Of(HttpResponseMessage response)
    {
        var code = response.Headers.TryGetValues("X-Error-Code", out var values) ? values.First() : "";
        return new HubException(((int)response.StatusCode, code) switch
        {
            (401, "GatedRepo") or (403, "GatedRepo") when settings.Token is null =>
                $"{repository} is given only to those who accepted its licence: accept it at {Page}, then {HowToSignIn}.",
            (401, "GatedRepo") or (403, "GatedRepo") => $"{repository} is given "
                + $"only to those who accepted its licence, and the account of your token did not: accept it at {Page} and try again.",
            (401, _) when settings.Token is null => $"{Host} does not give {repository} without a token: "
                + $"it does not exist, is private, or its licence has to be accepted at {Page}; check the name, then {HowToSignIn}.",
            (401, "RepoNotFound") or (404, "RepoNotFound") =>
                $"There is no model {repository} at {Host}, or the account of your token may not see it.",
            (401, _) => $"{Host} does not accept the token in HF_TOKEN (or in the token file); {HowToSignIn}.",
            (403, _) => $"{Host} forbids {repository} to "
                + $"{(settings.Token is null ? "those without a token" : "the account of your token")}: "
                    + $"check at {Page} whether a licence has to be accepted or the token needs a permission.",
            (404, "RevisionNotFound") => $"{repository} has no revision '{revision}'.",
            (404, _) when file is not null => $"{repository} has no file {file} at {revision}.",
            (404, _) => $"There is no model {repository} with a revision '{revision}' at {Host}; check the name.",
            (410 or 451, _) => $"{repository} was withdrawn from {Host} ({(int)response.StatusCode}).",
            var (status, _) => $"{Host} answered {status} to the request for {(file is null ? $"the files of {repository}" : file)}.",
        });
    }

    /// <summary>True if the address cannot be reached from this machine: its name does not resolve, or no network leads there.</summary>
    public static bool IsOffline(HttpRequestException e) => e.HttpRequestError == HttpRequestError.NameResolutionError
        || e.GetBaseException() is SocketException
             { SocketErrorCode: SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostUnreachable };

    /// <summary>Why an address could not be reached, without a full stop and without what a signed address carries.</summary>
    public static string Unreachable(Uri address, HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => $"the name {address.Host} is not known here (is the machine online?)",
        HttpRequestError.ConnectionError => $"{address.Host} cannot be reached (is the machine online?)",
        HttpRequestError.SecureConnectionError =>
            $"no secure connection to {address.Host} was possible: {e.GetBaseException().Message.TrimEnd('.')}",
        _ => $"{address.Host} closed the connection",
    };
}
