namespace Alebrije.Preprocessing;
